// What the kernels are written against: CUDA, or in the host build an emulation of it for tests.
//
// Both sides offer the same spelling (README.md lists it), so that the very source that nvcc
// compiles for a GPU also runs on the host under sanitizers and a race checker. CMake names the
// emulation's header: nothing that a GPU build reads knows where it is.
#pragma once

#if defined(SEGPP_EMULATOR_HEADER)
#include SEGPP_EMULATOR_HEADER
#elif defined(__CUDACC__)
#include "device.h"
#else
#error "Kernels need nvcc, or the host build, where CMake defines SEGPP_EMULATOR_HEADER."
#endif
