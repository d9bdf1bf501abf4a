"""TensorRT and TensorRT-RTX behind one code path: they share one Python API under two module names."""
