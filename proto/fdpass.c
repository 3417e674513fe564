#include "proto/fdpass.h"
