"""What tuning and inference share about base models."""
