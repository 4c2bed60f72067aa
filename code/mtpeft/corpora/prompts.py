"""The prompts of a study, read out of its published scripts: what the derived set
`published/prompts` is built from.

Scripts are parsed, never run. A prompt is the list named `chat` in a function that fills the chat
template; what a script inserts becomes a `{placeholder}`. The scripts come from the study's
repository at its pinned commit; whether they and this rule are the right ones, the pinned hash of
the result says.
"""

import ast
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mtpeft.core import paths
from mtpeft.core.download import Policy, read_small
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.files import read_text
from mtpeft.core.text import first_line
from mtpeft.corpora.fetch import offline, upstream

REPOSITORY, COMMIT = "alvi75/MultiTask-QLoRA-NFAnalysis", "44e6077abecf5c90d6b80f3298afaf00091621e5"
MULTI, SINGLE = "multitask/qlora_train.py", "generation/qlora_train.py"
INFERENCE, JUDGE = (
    "generation/codereval/infer_generation_qlora.py",
    "summarization/codereval/evaluate_summarization_llm_judge.py",
)
# The scripts that use these prompts; four of them hold all there are.
SCRIPTS = [
    SINGLE,
    "summarization/qlora_train.py",
    "translation/qlora_train.py",
    MULTI,
    INFERENCE,
    "summarization/codereval/infer_summarization_qlora.py",
    "translation/infer_translation_qlora.py",
    JUDGE,
]
# What the scripts call what they insert; anything else is the code that is asked about.
NAMES = {
    "summary_part": "summary",
    "signature_part": "signature",
    "output_text": "output",
    "codereval_input": "input",
    "src_lang": "source",
    "tgt_lang": "target",
    "lang": "Java|Python",
    "summary": "summary",
}


@dataclass
class Chat:
    """One `chat` list of a script.

    Attributes:
        roles: The text of each role.
        facts: What the branches around the list compare (`task`, `language`), and the function's
            name.
    """

    roles: dict[str, str]
    facts: dict[str, str] = field(default_factory=dict)


def build(read: Callable[[str], str] | None = None) -> str:
    """The derived set as canonical JSON.

    Args:
        read: The text of a script by its path in the repository (default: mirror, then upstream).

    Raises:
        MtpeftError: The scripts lack a prompt.
    """
    read = read or script
    multi = {
        (c.facts.get("task", ""), c.facts.get("language", "")): c.roles
        for c in chats(read(MULTI), MULTI)
    }
    single = {c.facts["function"].rpartition("_")[2]: c.roles for c in chats(read(SINGLE), SINGLE)}
    languages = ("java", "python")
    try:
        made = {
            "generation": {
                "system": {x: multi["generation", x]["system"] for x in languages},
                "user_multi_task": {x: multi["generation", x]["user"] for x in languages},
                "user_single_task": {x: single[x]["user"] for x in languages},
                "user_inference": next(chats(read(INFERENCE), INFERENCE)).roles["user"],
                "assistant": multi["generation", "java"]["assistant"],
            },
            "summarization": {
                "system": {x: multi["summarization", x]["system"] for x in languages},
                "user": {x: multi["summarization", x]["user"] for x in languages},
                "assistant": multi["summarization", "java"]["assistant"],
            },
            "translation": {
                role: multi["translation", ""][role] for role in ("system", "user", "assistant")
            },
            "judge": {"user": assigned(read(JUDGE), "create_prompt", "prompt")},
            "source": {"repository": REPOSITORY, "commit": COMMIT, "files": SCRIPTS},
        }
    except (KeyError, StopIteration) as error:
        raise MtpeftError(
            f"the study's scripts have no prompt for {error}",
            "the scripts at commit " + COMMIT[:7],
            "set MTPEFT_MIRROR to a copy of that commit",
        ) from error
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def script(path: str) -> str:
    """One script of the study.

    Raises:
        Unavailable: Neither mirror nor upstream has it.
    """
    mirror = paths.mirror()
    local = mirror / REPOSITORY / COMMIT / path if mirror else None
    if local is not None and local.is_file():
        return read_text(local)
    url = f"{upstream()}/{REPOSITORY}/{COMMIT}/{path}"
    try:
        if offline():
            raise Unavailable("OFFLINE=1")
        return read_small(path, url, Policy(attempts=3)).decode("utf-8")
    except (Unavailable, UnicodeDecodeError) as error:
        raise Unavailable(
            f"published/prompts: {path} of {REPOSITORY} cannot be had: {first_line(error)}",
            f"{url}, or a mirror that has it",
            "make data with network, or set MTPEFT_MIRROR",
        ) from error


def chats(text: str, name: str) -> Iterator[Chat]:
    """Every `chat` list of a script, in its order.

    Args:
        text: The script.
        name: Its path, for messages.

    Raises:
        MtpeftError: The text is no Python.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise MtpeftError(
            f"{name}:{error.lineno}: not Python: {error.msg}", "a script of the study"
        ) from error
    yield from _in(tree.body, {}, {})


def _in(body: list[ast.stmt], facts: dict[str, str], texts: dict[str, str]) -> Iterator[Chat]:
    texts = dict(texts)
    for statement in body:
        if isinstance(statement, ast.FunctionDef):
            yield from _in(statement.body, {**facts, "function": statement.name}, texts)
        elif isinstance(statement, ast.If):
            yield from _in(statement.body, {**facts, **_compared(statement.test)}, texts)
            yield from _in(statement.orelse, facts, texts)
        elif isinstance(statement, ast.Assign) and isinstance(
            target := statement.targets[0], ast.Name
        ):
            if target.id == "chat" and isinstance(statement.value, ast.List):
                yield Chat(
                    dict(
                        _message(m, texts) for m in statement.value.elts if isinstance(m, ast.Dict)
                    ),
                    dict(facts),
                )
            elif isinstance(statement.value, ast.JoinedStr | ast.Constant):
                texts[target.id] = _rendered(statement.value, texts)


def _compared(test: ast.expr) -> dict[str, str]:
    """`name == "text"` as a fact."""
    if (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and isinstance(test.comparators[0], ast.Constant)
    ):
        return {test.left.id: str(test.comparators[0].value)}
    return {}


def _message(message: ast.Dict, texts: dict[str, str]) -> tuple[str, str]:
    parts = {
        k.value: v
        for k, v in zip(message.keys, message.values, strict=True)
        if isinstance(k, ast.Constant)
    }
    return _rendered(parts["role"], {}), _rendered(parts["content"], texts)


def _rendered(node: ast.expr, texts: dict[str, str]) -> str:
    """The text of an expression; what is inserted becomes a placeholder."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            _rendered(part.value if isinstance(part, ast.FormattedValue) else part, texts)
            for part in node.values
        )
    if isinstance(node, ast.Name):
        return texts.get(node.id) or "{" + NAMES.get(node.id, "code") + "}"
    return "{docstring}" if "docstring_tokens" in ast.unparse(node) else "{code}"


def assigned(text: str, function: str, name: str) -> str:
    """The text that a function of a script assigns to a name.

    Args:
        text: The script.
        function: The function.
        name: The variable.

    Raises:
        KeyError: It assigns none.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            for statement in node.body:
                if (
                    isinstance(statement, ast.Assign)
                    and isinstance(statement.targets[0], ast.Name)
                    and statement.targets[0].id == name
                ):
                    return _rendered(statement.value, {})
    raise KeyError(f"{name} in {function}")
