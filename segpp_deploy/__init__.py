"""segpp-deploy: from a SegFormer++ checkpoint to a fast, verified inference engine."""

__version__ = "0.1.0"
