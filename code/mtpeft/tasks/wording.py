"""The words of the prompts: the project's own, or those of the study's scripts where the derived
set has them.

A wording is a nested mapping task → role → (language →) text with `{placeholders}`. The study words
the generation prompt of Java differently in single-task and multi-task scripts, and another one at
inference; `regime` and `inference` pick among them. Its texts are not part of this repository (derived
set `published/prompts`).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.core.errors import BadInput

LANGUAGE = {"java": "Java", "python": "Python", "csharp": "C#"}

OWN: dict[str, Any] = {
    "generation": {
        "system": "You write {language} code. Answer with the code only.",
        "user": "Write this {language} function.\nIt should: {summary}\nSignature: {signature}",
        "user_prompt": "Complete this {language} function.\n{prompt}",
        "assistant": "{output}",
    },
    "summarization": {
        "system": "You explain {language} code in one sentence.",
        "user": "Explain this {language} function.\n{code}",
        "assistant": "{summary}",
        "end": "",
    },
    "translation": {
        "system": "You translate code. Answer with the code only.",
        "user": "Translate this {source} function to {target}.\n{code}",
        "assistant": "{output}",
    },
}


@dataclass(frozen=True)
class Wording:
    """The words of the prompts for one regime and purpose.

    Attributes:
        name: `own` or `published`.
        texts: Task → role → (language →) text.
        regime: `st` or `mt`.
        inference: Whether the prompts are for prediction and not for training.
    """

    name: str
    texts: dict[str, Any]
    regime: str = "mt"
    inference: bool = False

    def text(self, task: str, role: str, language: str = "") -> str:
        """The text of one role, for one language where it depends on it.

        Raises:
            KeyError: There is none.
        """
        found = self.texts[task][role]
        return str(found[language] if isinstance(found, dict) else found)

    def has(self, task: str, role: str) -> bool:
        """Whether the wording has this role."""
        return role in self.texts[task]


def wording(
    name: str = "own", regime: str = "mt", inference: bool = False, path: Path | None = None
) -> Wording:
    """The project's own wording, or the study's.

    Args:
        name: `own` or `published`.
        regime: `st` or `mt`.
        inference: Whether the prompts are for prediction and not for training.
        path: The file with the study's texts (default: the derived set).

    Raises:
        BadInput: The file is not there, or cannot be read.
    """
    if name == "own":
        return Wording("own", OWN, regime, inference)
    if path is None:
        from mtpeft.corpora.derived import built

        path = built("published/prompts")
    try:
        texts = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BadInput(
            path, f"malformed JSON: {error}", "the prompt strings of the study", line=error.lineno
        ) from error
    needed = {
        "generation": (
            "system",
            "user_single_task",
            "user_multi_task",
            "user_inference",
            "assistant",
        ),
        "summarization": ("system", "user", "assistant"),
        "translation": ("system", "user", "assistant"),
    }
    for task, roles in needed.items():
        if missing := [role for role in roles if role not in texts.get(task, {})]:
            raise BadInput(
                path, f"{task} lacks {', '.join(missing)}", "the prompt strings of the study"
            )
    return Wording("published", texts, regime, inference)
