"""The corrected variant of CodeBLEU as a tool of its own; what it corrects is listed in
`components`.
"""

from mtpeft.scoring.codebleu.scorer import CodeBleu


def scorer() -> CodeBleu:
    """CodeBLEU with source-ordered data flow, a zero that stays zero and a working brevity penalty."""
    return CodeBleu("codebleu-corrected", ("codebleu_corrected",), corrected=True)
