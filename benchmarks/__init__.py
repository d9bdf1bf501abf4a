"""Scripts that measure the product and the kernels' toolchain, record what they find, and write the pages that show it.

They are run as modules from the root of the repository, such as `python -m benchmarks.measure.parity`.
"""
