// Compiled by nvcc alone, to see that the CUDA side of simt.h offers what the host side does.
#include "contract_kernel.cuh"

template cudaError_t emulator_tests::launch_contract<__half, 64>(const __half*,
                                                                 emulator_tests::ContractResults*,
                                                                 cudaStream_t);
