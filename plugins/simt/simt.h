// What the kernels are written against: CUDA, or with SEGPP_HOST_SIMT an emulation for tests.
//
// Both sides offer the same spelling (README.md lists it), so that the very source that nvcc
// compiles for a GPU also runs on the host under sanitizers and a race checker.
#pragma once

#if defined(SEGPP_HOST_SIMT)
#include "host/host.h"
#elif defined(__CUDACC__)
#include "device.h"
#else
#error "Kernels need nvcc, or -DSEGPP_HOST_SIMT=1 for the host emulation."
#endif
