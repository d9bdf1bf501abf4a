"""What tests of several rooms share, and benchmarks too: small graphs, random models, data, requirements."""
