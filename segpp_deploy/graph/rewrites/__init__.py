"""Rewrites of a graph into what one runtime takes, or runs faster; the function stays the same."""
