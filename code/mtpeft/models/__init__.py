"""What tuning and inference share about base models."""

import logging
import warnings

# PEFT asks the library by a name that it is about to give up; whoever uses a model can do nothing about it.
warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)

UNUSED_KERNEL = "Failed to load CPU gemm_4bit_forward"


def _matters(record: logging.LogRecord) -> bool:
    """Whether a message of bitsandbytes says something that a run depends on.

    On processors with AVX512-BF16 it looks for a kernel of the hub when it is imported; 4-bit weights
    never take that kernel here (see `nf4.keep_layout`). All its other messages stay.
    """
    return UNUSED_KERNEL not in str(record.msg)


logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(_matters)
