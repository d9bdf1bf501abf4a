"""What writes pages from recorded results."""
