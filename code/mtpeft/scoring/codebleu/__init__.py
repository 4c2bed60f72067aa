"""CodeBLEU: release 0.7.0 to the last bit, fast; and a corrected variant under its own name."""

from mtpeft.scoring.codebleu.scorer import CodeBleu, scorer

__all__ = ["CodeBleu", "scorer"]
