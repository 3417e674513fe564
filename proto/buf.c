#include "proto/buf.h"
