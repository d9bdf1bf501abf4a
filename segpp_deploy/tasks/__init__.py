"""What differs between segmentation and pose, behind one protocol; nothing else asks which of the two a model does."""
