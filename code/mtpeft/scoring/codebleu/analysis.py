"""What CodeBLEU needs to know about one text: tokens, syntax subtrees, data flow. Computed once per
text.

The library codebleu 0.7.0 parses every text twice per comparison and reads its keywords and grammar
each time. Here both are kept per process, and a text's analysis is kept as long as it may serve as
a reference again. The two variants differ in one place: the library merges data-flow edges through
sets of strings, so that the order of a node's sources, and with it the score, changes with the hash
seed; the corrected variant keeps source order.
"""

import importlib.util
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from mtpeft.core.errors import Unavailable
from mtpeft.scoring.codebleu.tree import read_tree

# The catalog's names of languages → the library's.
LIBRARY_LANGUAGE = {"java": "java", "csharp": "c_sharp", "python": "python"}
ORDERS = (1, 2, 3, 4)

Edge = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Grammar:
    """A language as the library knows it.

    Attributes:
        parser: Of its syntax.
        keywords: Of the language.
        remove_comments: Gives a text without its comments.
        extract: The extractor of data flow.
        token_text: The library's look-up of a token by its points.
        unique: Drops repeated sources of an edge, in the order that the variant prescribes.
    """

    parser: Any
    keywords: frozenset[str]
    remove_comments: Callable[[str], str]
    extract: Callable[[Any, dict[Any, Any], dict[str, Any]], tuple[list[Any], Any]]
    token_text: Callable[[Any, list[str]], str]
    unique: Callable[[list[Any]], Any]


@dataclass(frozen=True, eq=False)
class Analysis:
    """One text as CodeBLEU sees it; what is derived is computed when first asked for.

    Attributes:
        tokens: The text split at white space.
        code: The text without comments.
        root: Its syntax tree.
        known: Its language.
    """

    tokens: tuple[str, ...]
    code: str
    root: Any
    known: Grammar

    @cached_property
    def ngrams(self) -> tuple[Counter[tuple[str, ...]], ...]:
        """Counts of 1- to 4-grams, keys in order of first appearance."""
        return tuple(
            Counter(zip(*(self.tokens[i:] for i in range(n)), strict=False)) for n in ORDERS
        )

    @cached_property
    def subtrees(self) -> list[str]:
        """S-expressions of the root and of every inner node."""
        return _subtrees(self.root)

    @cached_property
    def subtree_set(self) -> frozenset[str]:
        """The distinct subtrees."""
        return frozenset(self.subtrees)

    @cached_property
    def flows(self) -> list[Edge]:
        """Data-flow edges (variable, relation, sources), variables renamed by order of appearance."""
        return _normalise(_data_flow(self.root, self.code, self.known))

    @cached_property
    def flow_counts(self) -> Counter[Edge]:
        """How often each data-flow edge occurs."""
        return Counter(self.flows)


@cache
def grammar(language: str, corrected: bool) -> Grammar:
    """The grammar of a catalog language.

    Args:
        language: `java`, `csharp` or `python`.
        corrected: For the corrected variant, whose data-flow sources keep source order.

    Raises:
        Unavailable: The library or its grammar is not installed.
    """
    try:
        from codebleu import dataflow_match, utils
        from codebleu.parser import utils as parser_utils
        from tree_sitter import Parser

        parser = Parser()
        name = LIBRARY_LANGUAGE[language]
        parser.language = utils.get_tree_sitter_language(name)
    except ImportError as error:
        raise Unavailable(
            f"CodeBLEU cannot run: {error}", "codebleu 0.7.0 with its grammars", "make .venv/.score"
        ) from error
    extract = getattr(_extractors(corrected), dataflow_match.dfg_function[name].__name__)
    keywords = Path(utils.__file__).parent / "keywords" / f"{name}.txt"
    return Grammar(
        parser,
        frozenset(line.strip() for line in keywords.read_text(encoding="utf-8").split("\n")),
        lambda text: parser_utils.remove_comments_and_docstrings(text, name),
        extract,
        parser_utils.index_to_code_token,
        dict.fromkeys if corrected else set,
    )


@cache
def _extractors(corrected: bool) -> ModuleType:
    """A copy of the library's extractors with two built-ins replaced; the library itself stays
    untouched.

    The extractors call `sorted` on the edges, by position, at every node. These sorts are stable,
    and so is the one at the end, which alone decides the order: the others are left out. `set` is
    replaced in the corrected variant only, by one that keeps the order of insertion.
    """
    spec = importlib.util.find_spec("codebleu.parser.DFG")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module)["sorted"] = _sorted_at_the_end
    if corrected:
        vars(module)["set"] = dict.fromkeys
    spec.loader.exec_module(module)
    return module


def _sorted_at_the_end(items: Any, key: Any = None) -> Any:
    return sorted(items) if key is None else items


def library_version() -> str:
    """The installed version of the library.

    Raises:
        Unavailable: There is none.
    """
    try:
        return metadata.version("codebleu")
    except metadata.PackageNotFoundError as error:
        raise Unavailable(
            "CodeBLEU cannot run: codebleu is not installed", "codebleu 0.7.0", "make .venv/.score"
        ) from error


@lru_cache(maxsize=2048)
def analyse(text: str, language: str, corrected: bool) -> Analysis:
    """Analyse one text, which is remembered: it may be the reference of many outputs.

    Args:
        text: The text.
        language: `java`, `csharp` or `python`.
        corrected: As in `grammar`.

    Raises:
        Unavailable: The library is missing.
        UnicodeEncodeError: The text holds lone surrogates.
    """
    known = grammar(language, corrected)
    text = text.strip()
    try:
        code = known.remove_comments(text)
    except Exception:  # as released: Python that cannot be tokenized keeps its comments
        code = text
    return Analysis(
        tuple(text.split()), code, known.parser.parse(code.encode("utf-8")).root_node, known
    )


def _subtrees(root: Any) -> list[str]:
    found, stack = [], [root]
    while stack:
        node = stack.pop()
        found.append(str(node))
        stack.extend(child for child in node.children if child.child_count)
    return found


def _data_flow(root: Any, code: str, known: Grammar) -> list[Any]:
    """Edges (variable, position, relation, sources, source positions), merged by position, as the
    library makes them.

    An error inside the extractor, whichever it is, leaves no edges, as published.
    """
    try:
        tree, tokens = read_tree(root, code, known.token_text)
        edges, _ = known.extract(tree, tokens, {})
    except Exception:  # as released, RecursionError included
        return []
    edges = sorted(edges, key=lambda edge: edge[1])
    linked = {edge[1] for edge in edges if edge[4]} | {
        source for edge in edges for source in edge[4]
    }
    merged: dict[int, Any] = {}
    for edge in edges:
        place = edge[1]
        if place not in linked:
            continue
        if place not in merged:
            merged[place] = edge
            continue
        first = merged[place]
        merged[place] = (
            first[0],
            place,
            first[2],
            list(known.unique(first[3] + edge[3])),
            list(known.unique(first[4] + edge[4])),
        )
    return list(merged.values())


def _normalise(edges: list[Any]) -> list[Edge]:
    names: dict[str, str] = {}
    result: list[Edge] = []
    for variable, _, relation, sources, _ in edges:
        for name in (*sources, variable):
            names.setdefault(name, f"var_{len(names)}")
        result.append((names[variable], relation, tuple(names[source] for source in sources)))
    return result
