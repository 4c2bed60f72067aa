"""The code in an answer that a chat model wrote.

Fences are read as CommonMark has them: an opening fence begins a line and may carry any info string,
only a line of fence characters closes it. Of several pieces of code the one is taken that is of the
asked language, parses and defines what was asked for, with those definitions of other pieces that it
uses; what reasons, echoes the question or shows output is left out. The study's own rule is `tagged`.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from mtpeft.core.text import with_line_feeds
from mtpeft.tasks.answer import Answer
from mtpeft.tasks.frames import (
    applied,
    here_documents,
    in_fences,
    in_json,
    is_change,
    of_page,
    unframed,
    unquoted,
    without_prompts,
)
from mtpeft.tasks.source_text import (
    INVISIBLE,
    begins_code,
    defined,
    is_cut,
    is_foreign,
    is_module,
    is_said,
    is_test,
    looks_like_code,
    only_imports,
    outdented,
    parsed,
    segments,
    sound,
    spans,
    uses,
    visible,
    whole_part,
    with_needed,
)

_OPEN = re.compile(r"(?P<lead>[ \t]*(?:>[ \t]*)*)(?P<fence>`{3,}+|~{3,}+)(?P<info>.*)")
_ONE_LINE = re.compile(r"\s*(`++|~{3,}+)(?P<code>[^\n]+?)\1\s*")
_REASONING = re.compile(
    r"^[ \t]*<(think|thinking|thought|reasoning|scratchpad|analysis|reflection)>.*?</\1>\s*|\A.*?^[ \t]*</think(?:ing)?>\s*",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
_OPEN_REASONING = re.compile(
    r"\A\s*<(?:think|thinking|thought|reasoning|scratchpad|analysis|reflection)>.*\Z",
    re.DOTALL | re.IGNORECASE,
)
_MARK = r"(?:<[|\uff5c][\w \u2581]{1,30}[|\uff5c]>|<fim_\w{1,9}>|<(?:start|end)_of_turn>|</?(?:s|answer|summary|solution|response)>|\[/?(?:INST|PYTHON|JAVA|CODE|ANSWER)\])"
_MARKS = re.compile(
    rf"^[ \t]*(?:{_MARK}[ \t]*(?:assistant\b[ \t]*)?)+|(?:(?<![ \t])[ \t]*{_MARK})+[ \t]*$",
    re.MULTILINE,
)
_TESTS = re.compile(r"^\[TESTS?\]$.*?(?:^\[/TESTS?\]$|\Z)", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"(?<!`)(`+)([^`\n]+)\1(?!`)")
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
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_NO_BREAK = re.compile("^[ \t]*\u00a0[ \t\u00a0]*", re.MULTILINE)
# In the place of a piece of code, while the text around it is cleaned.
_SIGN = "\ue000"
_SIGNED = re.compile(f"{_SIGN}(\\d+){_SIGN}")
# The words before a piece of code that call it the right one, those that do so where no choice is
# offered, and those that call it one that is not to be used.
_REVISED = re.compile(
    r"\b(?:correct(?:ed|ion)?|fix(?:ed)?|final|revised|updated|oops|edit:|(?:forget|ignore|disregard) (?:that|this|the)"
    r"|(?:had|has|is) an? (?:bug|mistake|flaw|error)|rewrite)\b[^\n]*\Z|\b(?:after|right)\W*\Z",
    re.IGNORECASE,
)
_PUT_IN_PLACE = re.compile(
    r"\b(?:should (?:be|read|have been)|actually|becomes|use (?:this|the following)|replace (?:it|this|that)"
    r"|(?:this|that|code|one)[^.\n]*\binstead|instead[,:]|must be changed)[^\n]*\Z|\b(?:good|better|do|write)\W*\Z",
    re.IGNORECASE,
)
_OFFERED = re.compile(
    r"\b(?:alternative\w*|also|you (?:can|could|may|might)|prefer|another|option|or)\b",
    re.IGNORECASE,
)
_REJECTED = re.compile(
    r"\b(?:incorrect|wrong|buggy|broken|tempted|(?:your|the original) (?:code|version|function)|(?:do not|don['\u2019]t|never)"
    r" (?:use|do|write))\b[^\n]*\Z|\b(?:before|bad|don['\u2019]t)\W*\Z|\u274c[^\n]*\Z",
    re.IGNORECASE,
)
# The words behind a piece of code that take it back.
_TAKEN_BACK = re.compile(
    r"\A\W*(?:oops|wait\b|edit:|sorry|(?:this|that|it|the (?:above|code above))\b[^.\n]*\b(?:wrong|incorrect|bug|mistake|error)\b)",
    re.IGNORECASE,
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
        behind: The sentences behind it.
    """

    language: str
    text: str
    before: str = ""
    fenced: bool = True
    behind: str = ""


def tidied(text: str) -> str:
    """The answer without reasoning in tags, leftover chat marks and invisible signs, up to where the
    dialogue goes on; LF line ends.
    """
    text = _NO_BREAK.sub(_blanks, _INVISIBLE.sub("", with_line_feeds(text)))
    text = _FINAL.sub("", text)
    text = _OPEN_REASONING.sub("", _REASONING.sub("", text) if "</" in text else text)
    for turn in _TURN.finditer(text):
        before = text[: turn.start()]
        if _MARKS.sub("", before).strip() and not _inside_fence(before):
            text = before
            break
    return _ROLE.sub("", _MARKS.sub("", text))


def _blanks(found: re.Match[str]) -> str:
    return found[0].replace("\u00a0", " ")


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
    text = with_line_feeds(text).removeprefix("\ufeff")
    if language in ("", "python") and is_module(text):
        return Answer(text.strip("\n").rstrip(), "whole text")
    text = _cleaned(text, language)
    if "\n" not in text.strip() and (one := _ONE_LINE.fullmatch(text)):
        word, _, rest = one["code"].strip().partition(" ")
        inside = rest.strip() if word.lower() in _NAMES and rest.strip() else one["code"].strip()
        return Answer(inside, "one line in fences")
    text = _LABEL.sub("", in_json(text))
    if language == "python":
        text = without_prompts(text.strip("\n"))
    whole = text.strip("\n").rstrip()
    if language in ("", "python") and _is_python(text):
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
    cut = whole.endswith(block.text.rstrip()) and not sound(block.text, language)
    begun = cut and not block.language and begins_code(block.text, language)
    if language and _points(block, language, asked) <= 0 and not begun:
        return Answer("", "no code")
    cut = cut and is_cut(block.text, language)
    if cut and asked in defined(part := whole_part(block.text, language), language):
        block = replace(block, text=part)
    kind = language or (block.language if block.language in _NAMES.values() else "python")
    others = [b.text for i, b in enumerate(blocks) if i != best and _may_help(b, kind)]
    code = with_needed(block.text, others, kind).strip("\n").rstrip()
    rule = "code in fences" if block.fenced else "code between sentences"
    if code == whole:
        rule = "whole text"
    elif code != block.text.strip("\n").rstrip():
        rule += ", with what it needs of other code"
    return Answer(code, rule)


def _is_python(text: str) -> bool:
    return parsed(text) is not None and looks_like_code(text) and not is_said(text)


def _cleaned(text: str, language: str) -> str:
    """A text as `tidied` has it, its listings in fences; code that is whole stays as it is."""
    lines, kept = unquoted(text).split("\n"), list[str]()
    if not any(_SIGN in line for line in lines):
        for start, end in reversed(_whole(lines, language)):
            code = "\n".join(lines[start:end])
            kept.append(code if language == "python" else visible(code))
            lines[start:end] = [f"{_SIGN}{len(kept) - 1}{_SIGN}"]
        for i, line in enumerate(lines):
            if line.lstrip().startswith("///"):  # marks in it are documentation
                kept.append(line)
                lines[i] = f"{_SIGN}{len(kept) - 1}{_SIGN}"

    def back(signed: str) -> str:
        return _SIGNED.sub(lambda found: kept[int(found[1])], signed) if kept else signed

    text = _TESTS.sub("", tidied(unframed("\n".join(lines))))
    if _SIGN not in text:
        text = of_page(text)
    return back(in_fences(text, language, back))


def _whole(lines: list[str], language: str) -> list[tuple[int, int]]:
    """The lines of the pieces of code that are whole and define something, in fences or without."""
    fenced = list(islice(_fences(lines, language), _MOST))
    pieces = list[tuple[re.Match[str] | None, int, int]]()
    pieces += [(opened, start + 1, end) for opened, start, end in fenced]
    pieces += [(None, *place) for place in spans(lines, language)] if not fenced else []
    found = list[tuple[int, int]]()
    for opened, start, end in pieces:
        code = _inside(lines[start:end], opened["lead"] if opened else "")
        kind = language or (_tag(opened["info"]) if opened else "")
        whole = (
            is_module(outdented(code))
            if kind == "python"
            else sound(code, kind) and defined(code, kind)
        )
        if whole:
            found.append((start, end))
    return found


def _fences(lines: list[str], language: str) -> Iterator[tuple[re.Match[str], int, int]]:
    """Each opening fence with its line and the line that closes it; those inside the strings of code
    that stands between sentences open nothing.
    """
    bare, i = dict(spans(lines, language)), 0
    while i < len(lines):
        opened = _OPEN.fullmatch(lines[i])
        if not opened and i in bare and _holds_fences(lines[i : bare[i]], language):
            i = bare[i]
            continue
        if not opened or (opened["fence"][0] == "`" and "`" in opened["info"]):
            i += 1
            continue
        ends = [j for j in range(i + 1, len(lines)) if _closes(lines[j], opened["fence"])]
        end = _end(lines, i, ends, opened["lead"], _tag(opened["info"]))
        yield opened, i, end
        i = end + 1


def _holds_fences(lines: list[str], language: str) -> bool:
    """Whether whole code holds fences in its strings."""
    code = outdented("\n".join(lines))
    return (
        any(map(_OPEN.fullmatch, lines)) and sound(code, language) and bool(defined(code, language))
    )


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


def _spans(text: str, language: str) -> list[_Block]:
    """The definitions that stand between single backticks in a sentence."""
    return [
        _Block("", found[2].strip())
        for found in _SPAN.finditer(text)
        if language and sound(found[2], language) and defined(found[2], language)
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
    blocks, behind = list[_Block](), 0
    for opened, start, end in islice(_fences(lines, language), _MOST):
        before = "\n".join(lines[behind:start])
        blocks += [
            *_bare(before, language),
            *_of_fence(opened, lines[start + 1 : end], before, language),
        ]
        behind = end + 1
    blocks += _bare("\n".join(lines[behind:]), language)
    after = [*(block.before for block in blocks[1:]), "\n".join(lines[behind:])]
    return [replace(b, behind=text) for b, text in zip(blocks, after, strict=False)][:_MOST]


def _of_fence(opened: re.Match[str], lines: list[str], before: str, language: str) -> list[_Block]:
    """The code between two fences: several pieces where it is a document or a script that writes files."""
    tag, inside = _tag(opened["info"]), _inside(lines, opened["lead"])
    if tag in _NAMES.values() and (behind := _BEHIND_TAG.fullmatch(opened["info"])):
        inside = f"{behind[1]}\n{inside}"
    if tag in _DOCUMENTS:
        return _blocks(inside, language)
    if tag in _DIFFS or is_change(inside):
        tag, inside = "" if tag in _DIFFS else tag, applied(inside)
    first, _, rest = inside.lstrip("\n").partition("\n")
    if not tag and first.strip().lower() in _NAMES:
        tag, inside = _tag(first), rest
    if tag != language and (files := here_documents(inside)):
        return [_repaired(_Block(_tag(ending), code, before), language) for ending, code in files]
    return [_repaired(_Block(tag, _unstuck(inside, opened["fence"], language), before), language)]


def _unstuck(code: str, fence: str, language: str) -> str:
    """Code up to a closing fence that stands behind its last line."""
    stuck = code.find(fence + "\n") if fence + "\n" in code else len(code) - len(fence)
    if not code[stuck:].startswith(fence) or sound(code, language):
        return code
    return code[:stuck] if sound(code[:stuck], language) else code


def _tag(info: str) -> str:
    """The language that an info string names; empty for a word that is none."""
    word = re.match(r"[\w#+-]*", info.strip().lstrip("{.").lower())
    found = word[0] if word else ""
    return _NAMES.get(found, found if _OTHERS.fullmatch(found) or found in _DOCUMENTS else "")


def _bare(prose: str, language: str) -> list[_Block]:
    return [
        _Block("", code, before, fenced=False)
        for code, before in segments(prose, language)
        if defined(code, language)
        or only_imports(code, language)
        or (
            prose.rstrip().endswith(code)
            and not sound(code, language)
            and begins_code(code, language)
        )
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
    for mend in (html.unescape, lambda code: _NO_BREAK.sub(_blanks, code)):
        if not sound(text, kind) and sound(plain := mend(text), kind):
            text = plain
    if (
        (not sound(text, kind) or (kind == "python" and is_said(text)))
        and len(parts := segments(text, kind)) == 1
        and sound(parts[0][0], kind)
        and not _leaves_code(text, parts[0][0])
    ):
        text = parts[0][0]
    return replace(block, text=text)


def _leaves_code(text: str, part: str) -> bool:
    """Whether more than sentences stands around a part of a text: then the text is broken code."""
    kept = {line.strip() for line in part.split("\n")}
    return looks_like_code("\n".join(r for r in text.split("\n") if r.strip() not in kept))


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
    return outdented(plain) if re.match(r" {1,3}\S", plain) else plain


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
    depth = max(depth - 1, 0) if quoted else depth
    result = []
    for whole in lines:
        line = whole
        for _ in range(quoted):
            line = re.sub(r"^[ \t]*> ?", "", line)
        own = len(line) - len(line.lstrip(" \t"))
        result.append(line[min(own, depth) :])
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


def _worth(
    blocks: list[_Block], i: int, language: str, asked: str
) -> tuple[int, bool, bool, bool, bool]:
    """What speaks for a block: its points; that it was not called wrong; that it was called the right
    version; that no other one builds on it; that it is not empty.
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
    said = block.before.strip().rpartition("\n\n")[2]
    put = _PUT_IN_PLACE.search(said) and not _OFFERED.search(said)
    revised = bool(_REVISED.search(said) or put)
    wrong = not revised and bool(_REJECTED.search(said) or _TAKEN_BACK.search(block.behind.strip()))
    return _points(block, language, asked), not wrong, revised, not served, bool(block.text.strip())


def _place(blocks: list[_Block], i: int, language: str, last: bool) -> int:
    return i if last and not (language and blocks[i].language) else -i


def _may_help(block: _Block, language: str) -> bool:
    return block.language in ("", language) and sound(block.text, language)
