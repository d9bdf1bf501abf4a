"""What `benchmarks/measure/gpu.py` is made of: its steps, their processes, the GPU's clocks, and the page."""
