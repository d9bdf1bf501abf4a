"""Where a model's weights come from: cards, checkpoints of four dialects, Hugging Face folders, seeds."""
