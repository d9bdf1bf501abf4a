"""The custom ops: one declaration, one PyTorch reference and one portable body each; `registry` lists them.

Nothing is imported here, so that those who only write standard ONNX nodes do not load PyTorch.
"""
