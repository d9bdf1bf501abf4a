"""Forms of a graph that one runtime takes, or runs faster; the function stays the same."""
