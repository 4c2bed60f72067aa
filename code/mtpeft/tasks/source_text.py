"""What can be said of a text as source code of Python, Java or C#, without a compiler."""

import ast
import builtins
import re
import symtable
import threading
import warnings
from functools import lru_cache

_parsing = threading.Lock()
_LITERAL = re.compile(
    r'"""(?:\\.|[^\\])*?"""|//[^\n]*|/\*.*?\*/|@"(?:""|[^"])*"|"(?:\\.|[^"\\\n])*"'
    r"|'(?:\\.|[^'\\\n])*'",
    re.DOTALL,
)
_NOT_A_NAME = re.compile(
    r"if|for|while|switch|catch|return|new|else|throw|await|case|in|using|lock|synchronized|do|try"
    r"|yield|and|or|is|as|foreach|fixed|when"
)
_HEAD = re.compile(r"((?<!\w)\w+|[>\]?)])\s+(?:\w+\.)*(\w+)\s*(?:<[\w, ]+>\s*)?\(")
_BODY = re.compile(
    r"\s*(?:throws\s[\w\s.,]+?|where\s[\w\s:,.()<>?\[\]]+?|:\s*(?:base|this)\s*\([^(){}]*\)\s*)?"
    r"(?:\{|=>)"
)
_TYPE = re.compile(r"\b(?:class|interface|enum|record|struct)\s+(\w+)")
_PROPERTY = re.compile(
    r"\b\w[\w<>\[\]?.]*\s+(\w+)\s*(?:\{\s*(?:\w+\s+)?(?:get|set|init|add|remove)\b|=>)"
)
# A line that is no declaration, and no sentence either.
_MORE_CODE = re.compile(r"^[})\]]|^(?:else|catch|finally)\b|[;{}]$")
_NAMELESS = re.compile(
    r"(?:\b(operator) *([-+*/%!~<>=&|^]{1,2}|true|false)\s*\(|(~\w+)\s*\(\s*\)\s*\{|\b(this)\s*(\[)[^\]]*\]\s*(?:\{|=>))"
)
_IMPORT = re.compile(r"^[ \t]*(?:import|using|package)\s[^\n;]*;[ \t]*$", re.MULTILINE)
_PYTHON_DEF = re.compile(r"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)
# A line that can only be code, and one that may begin a piece of it.
_PYTHON_LINE = (
    r"(?:async +def|def|class)\b.|from +[\w.]+ +import\b|import +[\w.]+ *(?:$|,|as\b|#)"
    r"|(?:async +)?(?:with|for|while|if)\b.*:\s*(?:#.*)?$|try:|@\w"
)
_PYTHON_GOES_ON = re.compile(_PYTHON_LINE)
_PYTHON_START = re.compile(
    rf"{_PYTHON_LINE}|(?:with|for|while|if)\b.|[A-Za-z_]\w*(?: *:[^=]+)? *= *\S|[rR]?(?P<q>['\x22])(?P=q){{2}}|#!"
)
_SMALL = "abcdefghijklmnopqrstuvwxyz"
_SENTENCE = re.compile(r"[A-Z*#>`-]|\d{1,2}[.)] |[a-z]+(?: [\w`'\u2019,()]+)+")
_OPEN_HEAD = re.compile(r"\s*(?:[\w.]+(?:<[^()]*>)?(?:\[\])*\??\s+)+\w+\s*\(")
_STARTS = re.compile(
    r"\s*(?:(?:import|package|using)\s+[\w.*= ]+;|@\w|/\*|//|\[\w+[^\]]*\]\s*$"
    r"|(?:public|protected|private|internal|static|final|abstract|sealed|virtual|override|async"
    r"|synchronized|readonly|partial|default|unsafe)\s+[\w<\[(]|~\w+\s*\(\s*\)"
    r"|(?:class|interface|enum|record|struct|namespace)\s+\w+[^.?!]*$|namespace\s+[\w.]+\s*[;{]?\s*$"
    r"|(?:<[\w, ]+>\s+)?[\w.]+(?:<[^()]*>)?(?:\[\])*\??\s+[\w.]+(?:<[\w, ]+>)?\s*\([^()]*\)\s*(?:throws[\w\s.,]+)?\{)"
)
_FOREIGN = {
    "csharp": re.compile(
        r"@Override|\bboolean\b|\bthrows\s|^\s*import\s+java|\bString\s+\w+|\bfinal\s"
        r"|\w\s+[a-z]\w*\s*\([^()]*\)\s*\{",
        re.MULTILINE,
    ),
    "java": re.compile(
        r"\b(?:virtual|override|readonly|internal|namespace|foreach)\s|\b(?:string|bool)\s+\w"
        r"|\{\s*get\b|^\s*using\s+System|\w\s+[A-Z]\w*\s*\([^()]*\)\s*(?:\{|=>).*\breturn\b",
        re.MULTILINE,
    ),
}
INVISIBLE = "\ufeff\u200b\u2060"
"""Signs that no reader sees."""
_TRIES = 60
_MOST = 40
"""Pieces of code that one text is searched for."""


def module(code: str) -> ast.Module:
    """A Python module; its warnings stay unsaid.

    Up to Python 3.11.8 all threads share one counter of the parser's depth, so that two that parse at
    once can fail with a `SystemError` (CPython issue 106905); the filter of warnings is shared as well.

    Args:
        code: A text.

    Returns:
        The module's syntax tree.

    Raises:
        SyntaxError: The text is no Python.
        ValueError: It holds a null byte or a lone surrogate.
        RecursionError: It is nested too deep.
        MemoryError: As before: older parsers say it so.
    """
    with _parsing, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(code)


@lru_cache(256)
def parsed(code: str) -> ast.Module | None:
    """A Python module, or None for a text that is none."""
    try:
        return module(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_module(code: str) -> bool:
    """Whether a text is Python that defines something, and nothing that a chat leaves among code: a
    role with a word behind it, a name in brackets, the frame of a listing.
    """
    tree = parsed(code)
    return (
        tree is not None
        and bool(_defined_in(tree.body))
        and not any(map(_is_chat, tree.body))
        and not re.search(r"\A\s*#\+begin_|^#\+end_\w+\s*\Z", code, re.MULTILINE | re.IGNORECASE)
    )


def _is_chat(node: ast.stmt) -> bool:
    """Whether a statement is what a chat leaves: a role or a label with a word, a name in brackets."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Subscript):
        return True
    if _is_label(node):
        return True
    return isinstance(node, ast.Expr) and isinstance(
        node.value, (ast.Attribute, ast.Dict, ast.List, ast.Name, ast.Set)
    )


def _is_label(node: ast.stmt) -> bool:
    """Whether a statement is a label with a word behind it, or a point of a list: `Output: 6`."""
    if isinstance(node, ast.Expr):
        first = node.value
        while isinstance(first, (ast.BinOp, ast.Compare)):
            first = first.left
        return isinstance(first, (ast.Starred, ast.UnaryOp))
    return (
        isinstance(node, ast.AnnAssign)
        and node.value is None
        and isinstance(node.target, ast.Name)
        and (node.target.id[0].isupper() or isinstance(node.annotation, ast.Constant))
    )


def syntax_error(code: str) -> int | None:
    """The line on which a Python module stops being one, from 1; 0 where it cannot be said, None for
    a module that is whole.
    """
    try:
        module(code)
    except SyntaxError as error:
        return error.lineno or 0
    except (ValueError, RecursionError, MemoryError):
        return 0
    return None


def outdented(code: str) -> str:
    """Code without the indentation that all its lines share; what a line holds besides stays."""
    lines = code.split("\n")
    own = [line[: len(line) - len(line.lstrip(" \t"))] for line in lines if line.strip()]
    depth = min(map(len, own), default=0)
    while any(sign[:depth] != own[0][:depth] for sign in own):
        depth -= 1
    return "\n".join(line[depth:] for line in lines)


def bare(code: str) -> str:
    """Java or C# with comments and literals blanked out, every line as long as before."""
    return _LITERAL.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), code)


@lru_cache(256)
def sound(code: str, language: str) -> bool:
    """Whether a text reads as code of a language: Python parses, of the others the brackets close."""
    if not code.strip():
        return False
    if language in ("", "python") and parsed(outdented(code)) is not None:
        return True
    if language == "python":
        return False
    rest = bare(code)
    return (
        "`" not in rest
        and bool(re.search(r"[;{}]", rest))
        and all(rest.count(a) == rest.count(b) for a, b in ("{}", "()", "[]"))
    )


@lru_cache(256)
def defined(code: str, language: str) -> frozenset[str]:
    """The names of the functions and types that a text defines; a Python stub defines nothing."""
    if language in ("", "python"):
        tree = parsed(outdented(code))
        if tree is not None:
            return frozenset(_defined_in(tree.body))
        if language == "python" or _PYTHON_DEF.search(code):
            return frozenset(_PYTHON_DEF.findall(code))
    rest = bare(code)
    found = set(_TYPE.findall(rest)) | set(_PROPERTY.findall(rest))
    found |= {"".join(part) for part in _NAMELESS.findall(rest)}
    for head in _HEAD.finditer(rest):
        if _NOT_A_NAME.fullmatch(head[1]) or _NOT_A_NAME.fullmatch(head[2]):
            continue
        end = _closing(rest, head.end() - 1)
        if end and _BODY.match(rest, end):
            found.add(head[2])
    return frozenset(found)


def _defined_in(body: list[ast.stmt]) -> set[str]:
    found: set[str] = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not _is_stub(node):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {node.name} | {f"{node.name}.{name}" for name in _defined_in(node.body)}
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _is_stub(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    def empty(node: ast.stmt) -> bool:
        return (
            isinstance(node, ast.Pass)
            or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
            or (isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node))
        )

    return all(map(empty, function.body))


def _closing(text: str, start: int) -> int:
    """The position behind the parenthesis that closes the one at `start`; 0 where none does."""
    depth = 0
    for found in re.finditer(r"[()]", text[start : start + 2000]):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return start + found.end()
    return 0


def is_test(code: str, names: frozenset[str]) -> bool:
    """Whether all that a text defines are tests or a demonstration."""
    tops = {name.partition(".")[0] for name in names}
    return bool(tops) and (
        all(re.match(r"[Tt]est|main$|demo$|example|.*Tests?$", name) for name in tops)
        or bool(re.search(r"^\s*@Test\b", code, re.MULTILINE))
    )


def is_foreign(code: str, language: str) -> bool:
    """Whether a text shows signs of the other one of Java and C#."""
    return language in _FOREIGN and bool(_FOREIGN[language].search(bare(code)))


def looks_like_code(text: str) -> bool:
    """Whether any line of a text is code rather than a sentence."""
    return bool(
        re.search(
            r"[;{}][ \t]*$|^[ \t]*(?:return|def|class|import|from|for|if|while|with|try)\b.*[:)\w]$"
            r"|^[ \t]*[\w.\[\]]+[ \t]*[-+*/]?=[^=]|^[ \t]*[\w.]+\([^)\n]*\)[ \t]*$|^[ \t]+\S",
            text,
            re.MULTILINE,
        )
    )


def begins_code(text: str, language: str) -> bool:
    """Whether a text begins as a declaration, be it cut in its head."""
    own = text.lstrip("\n").partition("\n")[0]
    if language in ("", "python"):
        return bool(_PYTHON_GOES_ON.match(own.lstrip()))
    return bool(_STARTS.match(own) or _OPEN_HEAD.match(own))


def is_cut(code: str, language: str) -> bool:
    """Whether a text stops being code at its end alone, as one does that was cut."""
    if language != "python":
        rest = bare(code)
        return any(rest.count(a) > rest.count(b) for a, b in ("{}", "()", "[]"))
    try:
        module(code)
    except SyntaxError as error:
        open_at_end = ("never closed", "unterminated triple", "expected an indented block")
        last = len(code.rstrip().split("\n"))
        return (error.lineno or 0) >= last or any(why in error.msg for why in open_at_end)
    except (ValueError, RecursionError, MemoryError):
        pass
    return False


def whole_part(code: str, language: str) -> str:
    """The declarations of a text before the one in which it was cut."""
    lines = code.split("\n")
    if language == "python":
        tops = [
            i for i, line in enumerate(lines) if line[:1] not in ("", " ", "\t", "#", ")", "]", "}")
        ]
        for end in reversed(tops[-_MOST:]):
            if parsed("\n".join(lines[:end])) is not None:
                return "\n".join(lines[:end]).rstrip()
        return ""
    ends, depth = [0], 0
    for i, line in enumerate(bare(code).split("\n"), 1):
        depth += line.count("{") - line.count("}")
        if depth == 0 and line.rstrip().endswith(("}", ";")):
            ends.append(i)
    return "\n".join(lines[: ends[-1]]).rstrip()


def visible(code: str) -> str:
    """Java or C# without invisible signs between its words; those of its literals stay."""
    rest = bare(code)
    return "".join(
        "" if sign in INVISIBLE and rest[i] == sign else " " if rest[i] == "\u00a0" else sign
        for i, sign in enumerate(code)
    )


def segments(text: str, language: str) -> list[tuple[str, str]]:
    """The pieces of code between the sentences of a text, each with the sentences before it."""
    lines, behind = text.split("\n"), 0
    found = list[tuple[str, str]]()
    for start, end in spans(lines, language):
        found.append(
            (outdented("\n".join(lines[start:end])).rstrip(), "\n".join(lines[behind:start]))
        )
        behind = end
    return found


def spans(lines: list[str], language: str) -> list[tuple[int, int]]:
    """Of each piece of code between the sentences of a text the first line and the one behind it."""
    find = _python_end if language in ("", "python") else _braces_end
    blanked = lines if find is _python_end else bare("\n".join(lines)).split("\n")
    found, i = list[tuple[int, int]](), 0
    while i < len(lines) and len(found) < _MOST:
        begins = _begins(lines, i) if find is _python_end else _declares(lines, i)
        end = find(lines, blanked, i) if begins else 0
        if end > i:
            found.append((i, end))
        i = max(end, i + 1)
    return found


def _begins(lines: list[str], i: int) -> bool:
    """Whether a line begins a piece of Python; a value or a text does so behind an empty line alone."""
    own = lines[i].lstrip()
    apart = not i or not lines[i - 1].strip()
    if not _PYTHON_GOES_ON.match(own) and not (apart and _PYTHON_START.match(own)):
        return False
    around = (
        line for line in reversed(lines[:i]) if line.strip() and _depth(line) < _depth(lines[i])
    )
    head = next(around, "").lstrip()
    return not _PYTHON_GOES_ON.match(head) and not head.startswith(")")


def _declares(lines: list[str], i: int) -> bool:
    """Whether a line begins a declaration of Java or C#; its brace may open on the next line."""
    opens = lines[i + 1 : i + 2] and lines[i + 1].lstrip().startswith("{")
    return bool(_STARTS.match(lines[i].rstrip() + " {" * bool(opens)))


def _python_end(lines: list[str], _: list[str], start: int) -> int:
    """The line behind the longest piece of Python that begins at `start`: it parses, and goes on
    with a sentence. An unfinished one goes to the end of the text.
    """
    depth = _depth(lines[start])
    tops = [
        i
        for i in range(start + 1, len(lines))
        if lines[i].strip() and _depth(lines[i]) <= depth and not lines[i].lstrip().startswith("#")
    ]
    ends = [*tops, len(lines)]
    last = len(ends) - 1
    for _try in range(_TRIES):
        if last < 0:
            return 0
        part = "\n".join(_less(line, depth) for line in lines[start : ends[last]])
        try:
            tree = module(part)
        except SyntaxError as error:
            at = start + (error.lineno or 1) - 1
            unfinished = last == len(ends) - 1 and not any(
                _is_sentence(lines[i].lstrip()) for i in tops
            )
            if unfinished:
                return len(lines)
            last = min(last - 1, sum(end <= at for end in ends) - 1)
        except (ValueError, RecursionError, MemoryError):
            return 0
        else:
            said = [node.lineno for node in tree.body if _is_label(node)]
            cut = start + said[0] - 1 if said else ends[last]
            whole = cut == len(lines) or not _PYTHON_GOES_ON.match(lines[cut].lstrip())
            return cut if whole else len(lines)
    return 0


def _is_sentence(line: str) -> bool:
    """Whether a line among Python code belongs to the text around it."""
    return bool(_SENTENCE.match(line)) and (line[:1] not in _SMALL or not looks_like_code(line))


def _less(line: str, depth: int) -> str:
    """A line without the indentation of its piece; one that stands further left as it is."""
    return line[depth:] if not line[:depth].strip() else line


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _braces_end(lines: list[str], blanked: list[str], start: int) -> int:
    """The line behind the declarations that begin at `start`; the end of the text where a body is
    not closed, and 0 where nothing is declared.
    """
    depth, end, said = 0, 0, ""
    for i in range(start, len(lines)):
        line = blanked[i].strip()
        if not depth and not said and line and not _declares(lines, i):
            if not _MORE_CODE.search(line) or not lines[i - 1].strip():
                return end
            end = i + 1
            continue
        if not depth and said and not lines[i].strip() and not said.startswith(("@", "[")):
            return end
        depth += sum(line.count(a) for a in "{([") - sum(line.count(a) for a in "})]")
        said += line
        if depth < 0:  # one brace too many: the answer is broken, and stays so
            depth, end, said = 0, i + 1, ""
        if depth == 0 and said.endswith(("}", ";")):
            end, said = i + 1, ""
    return len(lines) if depth > 0 else end


def with_needed(code: str, others: list[str], language: str) -> str:
    """Code together with the definitions and imports of other texts that it uses and lacks."""
    return _python_needed(code, others) if language == "python" else _needed(code, others, language)


def _python_needed(code: str, others: list[str]) -> str:
    tree = parsed(code)
    if tree is None:
        return code
    own, used, before = _bound(tree), _used(code), list[tuple[int, str]]()
    nodes = [
        (text, node)
        for text in others
        if (other := parsed(text)) is not None
        for node in other.body
    ]
    added = True
    while added:
        added = False
        for place, (text, node) in enumerate(nodes):
            names = _bound(ast.Module([node], []))
            unknown = used - own - set(dir(builtins))
            if (names & used - own) or ("*" in names - own and unknown):
                own |= names
                used |= _used(_source(text, node))
                before.append((place, _source(text, node)))
                added = True
    return "\n".join([*(text for _, text in sorted(before)), "", code]) if before else code


def _source(text: str, node: ast.stmt) -> str:
    """The lines of a statement, decorators included."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return "\n".join(text.split("\n")[first - 1 : node.end_lineno])


def _used(code: str) -> set[str]:
    """The names that Python code takes from around it, and those of its own top level that it uses."""
    try:
        with _parsing, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tables = [symtable.symtable(outdented(code), "answer", "exec")]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found: set[str] = set()
    for table in tables:
        tables += table.get_children()
        found |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global())
        }
    return found


def _bound(tree: ast.Module) -> set[str]:
    """What a module binds at its top level, in a `try` or an `if` too."""
    found: set[str] = set()
    nodes = list[ast.AST](tree.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(a.asname or a.name).partition(".")[0] for a in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(
            node, (ast.Assign, ast.AnnAssign, ast.Tuple, ast.Try, ast.If, ast.ExceptHandler)
        ):
            nodes += ast.iter_child_nodes(node)
    return found


def _needed(code: str, others: list[str], language: str) -> str:
    own, before, after = set(defined(code, language)), list[str](), list[str]()
    for text in others:
        rest, names = _IMPORT.sub("", text).strip(), defined(text, language)
        if not rest and _IMPORT.search(text):
            before.append(text.strip())
        elif not names & own and any(_uses(code, name) for name in names):
            after.append(text.strip("\n"))
            own |= names
    return "\n\n".join([*before, code, *after])


def _uses(code: str, name: str) -> bool:
    return bool(re.search(rf"\b{re.escape(name)}\b", bare(code)))


def is_said(code: str) -> bool:
    """Whether Python text holds what a chat leaves among code."""
    tree = parsed(code)
    return tree is not None and any(map(_is_chat, tree.body))


def only_imports(code: str, language: str) -> bool:
    """Whether a text imports, and does nothing else."""
    if language == "python":
        tree = parsed(code)
        return tree is not None and all(
            isinstance(n, (ast.Import, ast.ImportFrom)) for n in tree.body
        )
    return bool(_IMPORT.search(code)) and not _IMPORT.sub("", code).strip()


def uses(code: str, names: frozenset[str], language: str) -> bool:
    """Whether a text refers to one of the names."""
    if language == "python":
        return bool(_used(code) & names)
    return any(_uses(code, name) for name in names)
