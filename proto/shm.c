#include "proto/shm.h"
