"""What the model is shown of a picture, and back: all of it, windows of it, or the crop around a box."""
