"""From a model to an ONNX graph: tracing, and lowering the custom ops to standard ones."""
