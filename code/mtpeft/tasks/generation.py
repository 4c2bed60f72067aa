"""Code generation: summary and signature (or a CoderEval prompt) → function."""

import re

from mtpeft.corpora.examples import Example
from mtpeft.tasks.answer import Answer
from mtpeft.tasks.fences import unfenced
from mtpeft.tasks.interface import Message
from mtpeft.tasks.wording import LANGUAGE, Wording


def messages(example: Example, wording: Wording) -> list[Message]:
    """System and user message. An example with `prompt` (CoderEval) is shown as it is at inference."""
    language, inputs = LANGUAGE[example.language], example.inputs
    if wording.name == "own":
        role = "user_prompt" if "prompt" in inputs else "user"
    elif "prompt" in inputs and wording.inference:
        role, inputs = "user_inference", {"input": inputs["prompt"]}
    else:
        role = {"st": "user_single_task", "mt": "user_multi_task"}[wording.regime]
    return [
        {
            "role": "system",
            "content": wording.text("generation", "system", example.language).format(
                language=language
            ),
        },
        {
            "role": "user",
            "content": wording.text("generation", role, example.language).format(
                **inputs, language=language
            ),
        },
    ]


def target(example: Example, wording: Wording) -> str:
    """The function, verbatim."""
    return wording.text("generation", "assistant").format(output=example.target)


def given(text: str) -> dict[str, str]:
    """The inputs of an example in what a person typed: a prompt to complete."""
    return {"prompt": text}


def asked(example: Example) -> str:
    """The name of the function that the example asks for; empty where its inputs do not say."""
    if name := example.inputs.get("entry_point"):
        return name
    shown = example.inputs.get("signature") or example.inputs.get("prompt", "")
    found = re.findall(r"\bdef\s+(\w+)", shown) or re.findall(r"(\w+)\s*\(", shown)
    return found[0] if found else ""


def answer(raw: str, faithful: bool, language: str = "", asked: str = "") -> Answer:
    """The code. The study cut at the first `Human:`, dropped a leading `Assistant:` and kept
    Markdown fences.
    """
    if faithful:
        cut = raw.split("Human:", 1)[0].strip().removeprefix("Assistant:").strip()
        return Answer(cut, "study: up to Human:")
    return unfenced(raw, language, asked=asked)
