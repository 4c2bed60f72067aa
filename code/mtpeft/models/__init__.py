"""What tuning and inference share about base models."""

import warnings

# PEFT asks the library by a name that it is about to give up; whoever uses a model can do nothing about it.
warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
