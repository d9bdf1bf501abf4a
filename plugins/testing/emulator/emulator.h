// The host emulation of CUDA that simt.h offers to the kernels under test.
#pragma once

#include "atomics.h"
#include "builtins.h"
#include "collectives.h"
#include "launch.h"
#include "mma.h"
#include "shared.h"
#include "sync.h"
