"""mtpeft: a reproducibility package for two studies of multi-task fine-tuning of code models."""

__version__ = "0.2.0"
