#include "proto/jobspec.h"
