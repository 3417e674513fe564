#include "proto/scan.h"
