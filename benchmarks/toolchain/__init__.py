"""The CUDA kernels: what compilers make of them, which planted bugs their tests catch, TensorRT-RTX as a gate."""
