#include "proto/outcome.h"
