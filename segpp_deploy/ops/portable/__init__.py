"""Each custom op as standard ONNX ops, one module per op, for runtimes without plugins; `registry` lists them."""
