#include "proto/cursor.h"
