"""What merging costs and gains on GPUs, on paper."""
