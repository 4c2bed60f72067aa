"""Code that stands in something else than fences: pages, listings, shell scripts, sessions, changes,
objects and notebooks.
"""

import ast
import doctest
import html
import json
import re
from collections.abc import Callable

from mtpeft.tasks.source_text import begins_code, defined, parsed, sound

LONG = "`" * 9
"""A fence that no code holds."""
_PAGE = re.compile(
    r"\A\s*(?:<pre\b[^>\n]*>\s*)?<code\b[^>\n]*>(.*)</code>\s*(?:</pre>\s*)?\Z",
    re.DOTALL | re.IGNORECASE,
)
_PRE = re.compile(
    r"(?:^[ \t]*|(?=<pre\b))(?P<pre><pre\b[^>\n]*>\s*)?<code\b(?P<info>[^>\n]*)>\n?(?P<code>.*?)\s*</code>(?:\s*</pre>)?",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
_LANGUAGE_CLASS = re.compile(r"\blang(?:uage)?-([\w#+]+)")
# A listing of LaTeX, Org, BBCode and Pandoc; the end of the text ends one that was cut.
_LISTING = re.compile(
    r"^[ \t]*(?:\\begin\{(?P<latex>lstlisting|verbatim|minted|code)\}|#\+begin_(?P<org>src|example)\b"
    r"|(?P<board>\[code)\b|\{(?P<jira>code|noformat)\b|(?P<colons>:{3,})[ \t]*(?=[\w{]))(?P<info>[^\n]*)\n(?P<code>.*?)"
    r"(?:^[ \t]*(?:\\end\{(?P=latex)\}|#\+end_(?P=org)|(?(board)\[/code\]|(?!))|\{(?P=jira)\}|(?P=colons))[ \t]*$|\Z)",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_CDATA = re.compile(r"<!\[CDATA\[[ \t]*\n(.*?)\n[ \t]*\]\]>", re.DOTALL)
_HERE = re.compile(
    r"^[ \t]*(?:[^\s$#%>]*[$#%>] +)?(?P<command>(?:sudo +)?(?:cat|tee|python3?|jshell|java|dotnet|bash|sh)\b[^\n]*?)"
    r"<<-?[ \t]*(?P<sign>['\"]?)(?P<end>[A-Za-z_]\w*)(?P=sign)(?P<rest>[^\n]*)\n(?P<code>.*?)"
    r"(?:^[ \t]*(?:> )?(?P=end)[ \t]*$|\Z)",
    re.DOTALL | re.MULTILINE,
)
# A file that is printed in a terminal, and a text that PowerShell writes down.
_PRINTED = re.compile(
    r"^\$ (?:cat|type) +(?P<rest>\S+)[ \t]*\n(?P<code>.*?)(?=^\$ |\Z)", re.DOTALL | re.MULTILINE
)
_HERE_STRING = re.compile(
    r"^(?:[^\n]*[ =])?@(['\"])[ \t]*\n(?P<code>.*?)^\1@(?P<rest>[^\n]*)$", re.DOTALL | re.MULTILINE
)
_FILE = re.compile(r"\.(py|java|cs|sh|txt|md|json|ya?ml|toml)\b")
_PLAIN = re.compile(r"^(?:>>>(?: |$)|jshell> )")
_TYPED = re.compile(r"^In \[\d*\]:[ \t]?", re.MULTILINE)
_GOES_ON = re.compile(r"^ *\.{3,}: ?")
_SAID = re.compile(r"^Out\[\d*\]:", re.MULTILINE)
_JSHELL = re.compile(r"^jshell> ?(.*(?:\n[ \t]*\.\.\.>.*)*)", re.MULTILINE)
_JSHELL_GOES_ON = re.compile(r"^[ \t]*\.\.\.> ?", re.MULTILINE)
_CHANGE = re.compile(r"^(?:diff --git |--- \S)", re.MULTILINE)
_HUNK = re.compile(r"^@@ ", re.MULTILINE)
_PATCH = re.compile(r"^\*\*\* Begin Patch$", re.MULTILINE)
_MERGED = re.compile(
    r"^<{5,9}[^\n]*\n(?:.*?)^={5,9}[ \t]*\n(.*?)^>{5,9}[^\n]*$", re.DOTALL | re.MULTILINE
)
_NOT_OF_FILE = re.compile(
    r"-|\+\+\+ |@@|\\ No newline|diff --git|index [0-9a-f]|new file mode|\*\*\* "
)
_FENCED = re.compile(r"(?:`{3,}|~{3,})[^\n]*\n(.*)\n[ \t]*(?:`{3,}|~{3,})", re.DOTALL)
_HOLDS_CODE = ("code", "answer", "solution", "function", "output", "completion", "content")


def _fence(code: str, tag: str = "") -> str:
    return f"{LONG}{tag}\n{code}\n{LONG}\n"


def of_page(text: str) -> str:
    """The code of a text that is one element `code` of a page; any other text as it is."""
    page = _PAGE.fullmatch(text)
    return html.unescape(page[1]) if page and "<code" not in page[1].lower() else text


def in_fences(text: str, language: str, whole: Callable[[str], str]) -> str:
    """A text of which the listings of pages, LaTeX and the like stand in fences.

    Args:
        text: The text. Pieces of code may stand behind signs.
        language: The asked language.
        whole: Puts pieces of code back in the place of their signs.
    """

    def element(found: re.Match[str]) -> str:
        if not found["pre"] and "\n" not in found["code"]:
            return found[0]  # a word in a sentence
        named = _LANGUAGE_CLASS.search(found["info"])
        return _fence(html.unescape(whole(found["code"])), named[1] if named else "")

    def listing(found: re.Match[str]) -> str:
        code = whole(found["code"]).strip("\n")
        if not (sound(code, language) and defined(code, language)) and not begins_code(
            code, language
        ):
            return found[0]
        words = re.findall(r"[\w#+]+", found["info"])
        return _fence(code, words[-1] if words else "")

    text = _CDATA.sub(r"\n\1\n", text)
    if not re.search(r"^[ \t]*(?:`{3}|~{3})", text, re.MULTILINE):
        text = _LISTING.sub(listing, text)
    return _PRE.sub(element, text) if "</code>" in text.lower() else text


def here_documents(text: str) -> list[tuple[str, str]]:
    """The texts that a shell's script writes down or prints, each with the ending of its file's name."""
    found = [m for rule in (*_documents(text), _PRINTED) for m in rule.finditer(text)]
    return [(_ending(m), _written(m)) for m in sorted(found, key=lambda m: m.start())]


def _documents(text: str) -> list[re.Pattern[str]]:
    return [_HERE, _HERE_STRING] if "\n'@" in text or '\n"@' in text else [_HERE]


def _written(found: re.Match[str]) -> str:
    """The lines of a document without the prompts of a shell."""
    lines = found["code"].rstrip("\n").split("\n")
    prompted = all(re.match(r"> |>$", line) for line in lines)
    return "\n".join(line[2:] for line in lines) if prompted else "\n".join(lines)


def _ending(found: re.Match[str]) -> str:
    named = _FILE.search(found["rest"])
    if found.re is _HERE:
        if found["command"].startswith("python"):
            return "python"
        named = named or _FILE.search(found["command"])
    return named[1] if named else ""


def unquoted(text: str) -> str:
    """A text without the quotation marks of a mail, where each of its lines has one."""
    while (lines := [line for line in text.split("\n") if line.strip()]) and all(
        re.match(r">(?!>> )", line) for line in lines
    ):
        text = re.sub(r"^> ?", "", text, flags=re.MULTILINE)
    return text


def unframed(text: str) -> str:
    """A text without fences of which the shell's documents, sessions and changes stand in fences."""
    # Where no end stands, none is searched from each beginning.
    if "\n=====" in text and "\n>>>>>" in text:
        text = _MERGED.sub(r"\1", text)
    if re.search(r"^[ \t>]*(?:`{3}|~{3})", text, re.MULTILINE):
        return text
    for rule in _documents(text):
        text = rule.sub(lambda found: _fence(_written(found), _ending(found)), text)
    change = _CHANGE.search(text) if _HUNK.search(text) else _PATCH.search(text)
    if change:
        return text[: change.start()] + _fence(text[change.start() :].rstrip("\n"), "diff")
    lines = text.split("\n")
    if any(
        re.match(r"(?:async def|def|class) |\ue000", line) for line in lines
    ) and not _TYPED.search(text):
        return text
    return _session_in_fences(lines)


def _session_in_fences(lines: list[str]) -> str:
    """Lines of which a session, from its first prompt to the last, stands in fences."""
    typed = [i for i, line in enumerate(lines) if _PLAIN.match(line) or _TYPED.match(line)]
    if not typed:
        return "\n".join(lines)
    first = typed[0]
    return "\n".join([*lines[:first], LONG + "pycon", *lines[first:], LONG])


def without_prompts(code: str) -> str:
    """An interpreter's session as the definitions that were typed; any other text as it is."""
    if code.lstrip().startswith("jshell>"):
        inputs = [_JSHELL_GOES_ON.sub("", found[1]) for found in _JSHELL.finditer(code)]
        return "\n".join(i for i in inputs if defined(i, "java") or i.startswith("import "))
    code = code.strip("\n")
    if _TYPED.match(code):
        kept = [cell for cell in map(_cell, _TYPED.split(code)[1:]) if _defines(cell)]
        return "\n".join(kept) if kept else code
    if not code.lstrip().startswith(">>>"):
        return code
    try:
        typed = [example.source for example in doctest.DocTestParser().get_examples(code + "\n")]
    except ValueError:
        return code
    kept = list(filter(_defines, typed))
    return "\n".join(t.rstrip() for t in kept) if kept else code


def _cell(text: str) -> str:
    """What was typed into a cell of a notebook, without what was printed."""
    lines = _SAID.split(text)[0].rstrip().split("\n")
    if any(map(_GOES_ON.match, lines)):
        lines = [lines[0], *(_GOES_ON.sub("", line) for line in lines[1:] if _GOES_ON.match(line))]
    elif lines[0] and parsed(lines[0]):
        lines = lines[:1]
    return "\n".join(lines).strip("\n").rstrip()


def _defines(typed: str) -> bool:
    """Whether an input is more than expressions."""
    tree = parsed(typed)
    return tree is not None and not all(isinstance(node, ast.Expr) for node in tree.body)


def in_json(text: str) -> str:
    """The text that is a JSON value, fenced or not, or that an object holds alone or under a name that
    says code, or the cells of a notebook; any other text as it is.
    """
    inside = _FENCED.fullmatch(text.strip())
    try:
        found = json.loads(inside[1] if inside else text)
    except (ValueError, RecursionError):
        return text
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, str):
        return found
    pairs = found if isinstance(found, dict) else {}
    if isinstance(pairs.get("cells"), list):
        return _of_notebook(pairs["cells"]) or text
    inner = [value for value in pairs.values() if isinstance(value, dict)]
    if len(inner) == 1 and not any(name.lower() in _HOLDS_CODE for name in pairs):
        pairs = inner[0]  # the arguments of a call
    named = [value for name, value in pairs.items() if name.lower() in _HOLDS_CODE]
    values = named or list(pairs.values())
    return values[0] if len(values) == 1 and isinstance(values[0], str) else text


def _of_notebook(cells: list[object]) -> str:
    """The cells of a notebook that hold more than calls."""
    sources = [
        cell.get("source", "")
        for cell in cells
        if isinstance(cell, dict) and cell.get("cell_type") == "code"
    ]
    texts = ["".join(map(str, s)) if isinstance(s, list) else str(s) for s in sources]
    return "\n".join(text.rstrip() for text in texts if _defines(text))


def is_change(text: str) -> bool:
    """Whether every line of a text is one of a change to a file."""
    lines = [line for line in text.split("\n") if line]
    return any(re.match(r"[+-](?![+-])\s*\S", line) for line in lines) and all(
        line[0] in "+- " or _NOT_OF_FILE.match(line) for line in lines
    )


def applied(diff: str) -> str:
    """What a file reads like after a change: its new lines, and those that stay."""
    lines = diff.split("\n")
    if not any(line.startswith("+") and not line.startswith("+++ ") for line in lines):
        return diff
    return "\n".join(
        line[1:] if line[:1] in ("+", " ") else line
        for line in lines
        if not _NOT_OF_FILE.match(line)
    )
