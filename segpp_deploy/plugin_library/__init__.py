"""The library of TensorRT plugins: which compilers and headers build it, the build, and how it is found again."""
