"""The code in an answer that a chat model wrote.

Fences are read as CommonMark has them: an opening fence begins a line and may carry any info string,
only a line of fence characters closes it. Of several pieces of code the one is taken that is of the
asked language, parses and defines what was asked for, with those definitions of other pieces that it
uses; what reasons, echoes the question or shows output is left out. The study's own rule is `tagged`.
"""

import html
import json
import re
from dataclasses import dataclass, replace
from textwrap import dedent

from mtpeft.tasks.answer import Answer
from mtpeft.tasks.source_text import (
    defined,
    is_foreign,
    is_test,
    looks_like_code,
    parsed,
    segments,
    sound,
    uses,
    with_needed,
    without_prompts,
)

_OPEN = re.compile(r"(?P<lead>[ \t]*(?:>[ \t]*)*)(?P<fence>`{3,}+|~{3,}+)(?P<info>.*)")
_ONE_LINE = re.compile(r"\s*(`++|~{3,}+)(?P<code>[^\n]+?)\1\s*")
_REASONING = re.compile(
    r"^[ \t]*<(think|thinking|reasoning)>.*?</\1>\s*|\A.*?^[ \t]*</think(?:ing)?>\s*",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
_OPEN_REASONING = re.compile(r"\A\s*<(?:think|thinking|reasoning)>.*\Z", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(r"(?:`{3,}|~{3,})[^\n]*\n(.*)\n[ \t]*(?:`{3,}|~{3,})", re.DOTALL)
_MARK = r"(?:<\|[\w ]{1,30}\|>|</?(?:s|answer|summary|solution|response)>|\[/?(?:INST|PYTHON|JAVA|CODE|ANSWER)\])"
_MARKS = re.compile(
    rf"^[ \t]*(?:{_MARK}[ \t]*(?:assistant\b[ \t]*)?)+|(?:(?<![ \t])[ \t]*{_MARK})+[ \t]*$",
    re.MULTILINE,
)
_HTML = re.compile(
    r"\A\s*(?:<pre\b[^>\n]*>\s*)?<code\b[^>\n]*>(.*)</code>\s*(?:</pre>\s*)?\Z",
    re.DOTALL | re.IGNORECASE,
)
_PRE = re.compile(
    r"^[ \t]*(?P<pre><pre\b[^>\n]*>\s*)?<code\b(?P<info>[^>\n]*)>\n?(?P<code>.*?)\s*</code>(?:\s*</pre>)?",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
_LANGUAGE_CLASS = re.compile(r"\blang(?:uage)?-([\w#+]+)")
# Lines that begin and end a listing in LaTeX, Org, BBCode and Pandoc.
_LISTING = re.compile(
    r"^[ \t]*(?:\\(?:begin|end)\{(?:lstlisting|verbatim|minted|code)\}(?:[\[{][^\n]*)?"
    r"|#\+(?:begin|end)_(?:src|example)\b[^\n]*|\[code(?:=[\w#+]+)?\]|\[/code\]|:{3,}[^\n]*)$",
    re.MULTILINE | re.IGNORECASE,
)
_CDATA = re.compile(r"<!\[CDATA\[[ \t]*\n(.*?)\n[ \t]*\]\]>", re.DOTALL)
_TESTS = re.compile(r"^\[TESTS?\]$.*?(?:^\[/TESTS?\]$|\Z)", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_FINAL = re.compile(r"\A.*<\|channel\|>final<\|message\|>", re.DOTALL)
_TURN = re.compile(
    r"(?:<\|(?:im_end|eot_id|end|endoftext)\|>|</s>)[ \t]*\n(?=\s*\S)"
    r"|^(?:### ?|\*\*)?(?:Human|User|Instruction)\b(?:\*\*)?:",
    re.MULTILINE,
)
_ROLE = re.compile(r"\A\s*Assistant:[ \t]*")
_LABEL = re.compile(
    r"\A\s*\**(?:C#|CSharp|Java|Python|answer|solution|code|output)(?: (?:code|version|translation))?\**[ \t]*:[ \t]*\**[ \t]*(?=[^\s`~])",
    re.IGNORECASE,
)
_DIFFS = ("diff", "patch")
_NUMBERED = re.compile(r"[ \t]*(\d{1,4})(?:[ \t]*[|:.)][ \t]?|[ \t]|$)")
# Code on the line of its opening fence, behind the name of its language.
_BEHIND_TAG = re.compile(
    r"\s*[\w#+]+\s+((?:async\s+def|def|class|from|import)\s+\w.*|@\w.*|[^{=\s][^={]*[;{])\s*"
)
_INVISIBLE = re.compile("[\ufeff\u200b\u2060]")
_REVISED = re.compile(
    r"\b(?:correct(?:ed|ion)?|fix(?:ed)?|final|revised|updated)\b[^\n]*\s*\Z", re.IGNORECASE
)
_NAMES = {
    "py": "python",
    "python3": "python",
    "python": "python",
    "pycon": "pycon",
    "java": "java",
    "c#": "csharp",
    "cs": "csharp",
    "csharp": "csharp",
}
LONGEST = 30_000
"""Characters beyond which a text is no answer, and is not searched."""
_MOST = 40
_LONG = "`" * 9
"""A fence that no code holds."""
_HOLDS_CODE = ("code", "answer", "solution", "function", "output", "completion")
_DOCUMENTS = ("markdown", "md")
# Words after a fence that say: this is not the code that was asked for.
_OTHERS = re.compile(
    r"bash|sh|shell|zsh|console|terminal|powershell|cmd|text|txt|plain(?:text)?|output|stdout|result"
    r"|json|ya?ml|x?html|xml|css|toml|ini|csv|diff|patch|sql|http|(?:java|type)script|[jt]s|c|cpp|c\+\+|go"
    r"|rust|ruby|php|kotlin|scala|swift|r|perl|lua|haskell|dockerfile|makefile|mermaid|latex|math"
    r"|pseudocode"
)


@dataclass(frozen=True)
class _Block:
    """A piece of code.

    Attributes:
        language: As normalized from its info string, empty where that names none.
        text: The code.
        before: The sentences before it.
        fenced: Whether it stood in fences.
    """

    language: str
    text: str
    before: str = ""
    fenced: bool = True


def tidied(text: str) -> str:
    """The answer without reasoning in tags, leftover chat marks and invisible signs, up to where the
    dialogue goes on; LF line ends.
    """
    text = _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _CDATA.sub(r"\n\1\n", text)
    text = _OPEN_REASONING.sub("", _REASONING.sub("", _FINAL.sub("", text)))
    for turn in _TURN.finditer(text):
        before = text[: turn.start()]
        if _MARKS.sub("", before).strip() and not _inside_fence(before):
            text = before
            break
    return _ROLE.sub("", _MARKS.sub("", text))


def _inside_fence(before: str) -> bool:
    return sum(bool(_OPEN.fullmatch(line)) for line in before.split("\n")) % 2 == 1


def unfenced(text: str, language: str = "", last: bool = False, asked: str = "") -> Answer:
    """The code in an answer; the whole text where nothing in it can be told to be the code.

    Args:
        text: The answer.
        language: The asked language, where it is known.
        last: Of undeclared blocks that are equally good, take the last one and not the first.
        asked: The function that was asked for, where the question names one.
    """
    if len(text) > LONGEST:
        return Answer(text.strip("\n").rstrip(), "too long to be read")
    text = tidied(text)
    if (page := _HTML.fullmatch(text)) and "<code" not in page[1].lower():
        text = html.unescape(page[1])
    text = _in_fences(_TESTS.sub("", text))
    if "\n" not in text.strip() and (one := _ONE_LINE.fullmatch(text)):
        word, _, rest = one["code"].strip().partition(" ")
        inside = rest.strip() if word.lower() in _NAMES and rest.strip() else one["code"].strip()
        return Answer(inside, "one line in fences")
    text = _LABEL.sub("", in_json(text))
    if language == "python":
        text = without_prompts(text.strip("\n"))
    whole = text.strip("\n").rstrip()
    if language in ("", "python") and parsed(text) is not None and looks_like_code(text):
        return Answer(whole, "whole text")
    if _goes_on(text, language):
        kept = _body(whole)
        return Answer(kept, "whole text" if kept == whole else "up to a sentence behind the body")
    blocks = _blocks(text, language) or _spans(text, language)
    if not blocks:
        # A refusal is no code; whatever might be code is left to the tools to judge.
        may_be = not language or looks_like_code(whole)
        return Answer(whole, "whole text") if may_be else Answer("", "no code")
    best = max(
        range(len(blocks)),
        key=lambda i: (*_worth(blocks, i, language, asked), _place(blocks, i, language, last)),
    )
    block = blocks[best]
    if language and _points(block, language, asked) <= 0:
        return Answer("", "no code")
    kind = language or (block.language if block.language in _NAMES.values() else "python")
    others = [b.text for i, b in enumerate(blocks) if i != best and _may_help(b, kind)]
    code = with_needed(block.text, others, kind).strip("\n").rstrip()
    rule = "code in fences" if block.fenced else "code between sentences"
    if code == whole:
        rule = "whole text"
    elif code != block.text.strip("\n").rstrip():
        rule += ", with what it needs of other code"
    return Answer(code, rule)


def in_json(text: str) -> str:
    """The text of a JSON object, fenced or not, that holds nothing else, or one text under a name that
    says code; any other text as it is.
    """
    inside = _FENCED.fullmatch(text.strip())
    try:
        found = json.loads(inside[1] if inside else text)
    except (ValueError, RecursionError):
        return text
    pairs = found if isinstance(found, dict) else {}
    inner = [value for value in pairs.values() if isinstance(value, dict)]
    if len(inner) == 1 and not any(name.lower() in _HOLDS_CODE for name in pairs):
        pairs = inner[0]  # the arguments of a call
    named = [value for name, value in pairs.items() if name.lower() in _HOLDS_CODE]
    values = named or list(pairs.values())
    return values[0] if len(values) == 1 and isinstance(values[0], str) else text


def _goes_on(text: str, language: str) -> bool:
    """Whether a text completes the function of the prompt: it begins inside a body."""
    first = text.lstrip("\n").partition("\n")[0]
    return language == "python" and first[:1] in (" ", "\t") and not _OPEN.fullmatch(first)


def _body(text: str) -> str:
    """The rest of a function, without the sentences behind it; as it is where that does not parse."""
    rows = text.split("\n")
    tops = [i for i, row in enumerate(rows) if i and row[:1] not in ("", " ", "\t", "#")]
    for end in [len(rows), *reversed(tops[:_MOST])]:
        if parsed("\n".join(["def _():", *rows[:end]])) is not None:
            return "\n".join(rows[:end]).rstrip()
    return text


def _in_fences(text: str) -> str:
    """A text of which the listings of HTML pages and of LaTeX stand in fences."""

    def fenced(found: re.Match[str]) -> str:
        if not found["pre"] and "\n" not in found["code"]:
            return found[0]  # a word in a sentence
        named = _LANGUAGE_CLASS.search(found["info"])
        return f"{_LONG}{named[1] if named else ''}\n{html.unescape(found['code'])}\n{_LONG}\n"

    if len(_LISTING.findall(text)) > 1 and not any(map(_OPEN.fullmatch, text.split("\n"))):
        return _LISTING.sub(_LONG, text)
    return _PRE.sub(fenced, text)


def _spans(text: str, language: str) -> list[_Block]:
    """The definitions that stand between single backticks in a sentence."""
    return [
        _Block("", found[1].strip())
        for found in _SPAN.finditer(text)
        if language and sound(found[1], language) and defined(found[1], language)
    ]


def tagged(text: str) -> str:
    """Fence removal as in the study: right for ```java; for every other fence the tag stays as the
    first word.
    """
    if "```java" in text:
        return text.split("```java", 2)[1].split("```", 1)[0].strip()
    if "```" in text:
        return text.split("```", 2)[1].strip()
    return text


def _blocks(text: str, language: str) -> list[_Block]:
    """The pieces of code of a text, fenced or between its sentences, in their order."""
    lines = text.split("\n")
    blocks: list[_Block] = []
    prose, i = list[str](), 0
    while i < len(lines) and len(blocks) < _MOST:
        opened = _OPEN.fullmatch(lines[i])
        if not opened or (opened["fence"][0] == "`" and "`" in opened["info"]):
            prose.append(lines[i])
            i += 1
            continue
        tag = _tag(opened["info"])
        ends = [j for j in range(i + 1, len(lines)) if _closes(lines[j], opened["fence"])]
        end = _end(lines, i, ends, opened["lead"], tag)
        inside = _inside(lines[i + 1 : end], opened["lead"])
        if tag in _NAMES.values() and (behind := _BEHIND_TAG.fullmatch(opened["info"])):
            inside = f"{behind[1]}\n{inside}"
        blocks += _bare(prose, language)
        if tag in _DOCUMENTS:
            blocks += _blocks(inside, language)
        else:
            if tag in _DIFFS:
                tag, inside = "", _applied(inside)
            blocks.append(_repaired(_Block(tag, inside, "\n".join(prose)), language))
        prose, i = [], end + 1
    return blocks + _bare(prose, language)


def _tag(info: str) -> str:
    """The language that an info string names; empty for a word that is none."""
    word = re.match(r"[\w#+-]*", info.strip().lstrip("{.").lower())
    found = word[0] if word else ""
    return _NAMES.get(found, found if _OTHERS.fullmatch(found) or found in _DOCUMENTS else "")


def _bare(prose: list[str], language: str) -> list[_Block]:
    return [
        _Block("", code, before, fenced=False)
        for code, before in segments("\n".join(prose), language)
        if defined(code, language)
    ]


def _repaired(block: _Block, language: str) -> _Block:
    """A block without the prompts of an interpreter, and without sentences among its code."""
    text = without_prompts(block.text)
    if text != block.text:
        shown = block.language in ("pycon", "ipython", "console", "text", "shell")
        return replace(block, text=text, language="" if shown else block.language)
    kind = language or block.language
    if sound(plain := _without_numbers(text), kind):
        text = plain
    if not sound(text, kind) and sound(plain := html.unescape(text), kind):
        text = plain
    if (
        not sound(text, kind)
        and len(parts := segments(text, kind)) == 1
        and sound(parts[0][0], kind)
    ):
        text = parts[0][0]
    return replace(block, text=text)


def _applied(diff: str) -> str:
    """What a file reads like after a change: its new lines, and those that stay."""
    lines = diff.split("\n")
    if not any(line.startswith("+") and not line.startswith("+++ ") for line in lines):
        return diff
    return "\n".join(
        line[1:] if line[:1] in ("+", " ") else line
        for line in lines
        if not re.match(r"-|\+\+\+ |@@|\\ No newline|diff --git|index [0-9a-f]", line)
    )


def _without_numbers(code: str) -> str:
    """Code without the numbers of its lines, where each line begins with its own."""
    lines = code.split("\n")
    found = [match for line in lines if (match := _NUMBERED.match(line))]
    numbers = [int(match[1]) for match in found]
    first = numbers[0] if numbers else 0
    if len(lines) < 2 or numbers != list(range(first, first + len(lines))):
        return code
    plain = "\n".join(line[match.end() :] for line, match in zip(lines, found, strict=True))
    # One to three blanks before the outermost line belong to the numbers, four to a body.
    return dedent(plain) if re.match(r" {1,3}\S", plain) else plain


def _closes(line: str, fence: str) -> bool:
    sign = line.lstrip(" \t>").rstrip()
    return len(sign) >= len(fence) and set(sign) == {fence[0]}


def _end(lines: list[str], start: int, ends: list[int], lead: str, language: str) -> int:
    """The line that closes a block: the last one up to which it parses, so that a fence in a
    documentation string closes nothing; else the first that stands no deeper than the opening one.
    """
    for end in reversed(ends[:20]):
        if sound(_inside(lines[start + 1 : end], lead), language):
            return end
    shallow = [j for j in ends if len(lines[j]) - len(lines[j].lstrip(" \t>")) <= len(lead) + 3]
    return next(iter(shallow or ends), len(lines))


def _inside(lines: list[str], lead: str) -> str:
    """A block's lines without the quotation marks and the indentation of its fence."""
    depth, quoted = len(lead) - len(lead.rstrip(" \t")), lead.count(">")
    result = []
    for whole in lines:
        line = whole
        for _ in range(quoted):
            line = re.sub(r"^[ \t]*> ?", "", line)
        own = len(line) - len(line.lstrip(" \t"))
        result.append(line[min(own, depth if not quoted else 0) :])
    return "\n".join(result)


def _points(block: _Block, language: str, asked: str) -> int:
    wanted = language or (block.language if block.language in _NAMES.values() else "")
    points = 0
    if block.language and block.language == wanted:
        points += 8
    elif block.language:
        points -= 20 if block.language in _NAMES.values() else 12
    kind = wanted or "python"
    names = defined(block.text, kind)
    if not wanted and not names:
        names = defined(block.text, "java")
    points += 6 * bool(asked and {asked, asked.rpartition(".")[2]} & names)
    points += 4 * bool(names) + 3 * sound(block.text, kind)
    points -= 5 * is_foreign(block.text, language)
    points -= 4 * (is_test(block.text, names) and asked not in names)
    return points


def _worth(blocks: list[_Block], i: int, language: str, asked: str) -> tuple[int, bool, bool, bool]:
    """What speaks for a block: its points; that it was called the right version; that no other one
    builds on it; that it is not empty.
    """
    block = blocks[i]
    kind = language or "python"
    own = defined(block.text, kind)
    served = any(
        uses(other.text, own, kind)
        and not is_test(other.text, names)
        and _points(other, language, asked) >= _points(block, language, asked)
        for j, other in enumerate(blocks)
        if j != i and (names := defined(other.text, kind)) and not names & own
    )
    revised = bool(_REVISED.search(block.before.strip().rpartition("\n\n")[2]))
    return _points(block, language, asked), revised, not served, bool(block.text.strip())


def _place(blocks: list[_Block], i: int, language: str, last: bool) -> int:
    return i if last and not (language and blocks[i].language) else -i


def _may_help(block: _Block, language: str) -> bool:
    return block.language in ("", language) and sound(block.text, language)
