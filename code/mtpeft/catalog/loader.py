"""Reading the catalog: YAML nodes → dataclasses, strict about keys, types and words, errors with
file and line.

A file holds one item, or a list of items. Three keys are the loader's own:

- `extends: ID` takes everything that this item does not say from another item of the same kind, in
whatever file it stands.
  Mappings are merged key by key, at any depth; lists and single values are replaced; a key set to
  null is left out.
- `abstract: true` marks an item that exists only to be extended; it is not listed.
- `matrix: {name: [value, …], …}` stands for one item per combination of its values, the last name
varying fastest. In the
  other keys `{name}` is the value: alone in a string it is the value itself, a list too; inside a
  longer string a list is joined by `+`; `{name.key}` is a key of a value that is a mapping. With
  `items: [item, …]` and nothing else beside it, the whole list is repeated for each combination,
  and an item may hold a matrix of its own.
"""

import copy
import itertools
import os
import re
import types
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from mtpeft.catalog.references import check_references
from mtpeft.catalog.schema import (
    KINDS,
    Backbone,
    Claim,
    Comparison,
    Evaluation,
    Figure,
    Method,
    Metric,
    Run,
    Table,
    Task,
    Tool,
)
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.core.paths import CATALOG

# libyaml reads the catalog ten times faster, where PyYAML was built with it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?:\.([A-Za-z_][A-Za-z0-9_]*))?\}")
_OWN_KEYS = ("extends", "abstract", "matrix", "items")


@dataclass
class Catalog:
    """Everything that exists, by kind and id, in file-name order."""

    tasks: dict[str, Task] = field(default_factory=dict)
    backbones: dict[str, Backbone] = field(default_factory=dict)
    methods: dict[str, Method] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    tools: dict[str, Tool] = field(default_factory=dict)
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    sources: dict[tuple[str, str], yaml.MappingNode] = field(default_factory=dict, repr=False)
    """The YAML node of each item, by kind and id."""

    @classmethod
    def load(cls, folders: Iterable[Path]) -> "Catalog":
        """Read every `<folder>/<kind>/**/*.yaml`; ids must be unique and references must resolve."""
        result = cls()
        every = list(folders)
        for kind, record in KINDS.items():
            nodes = [
                node
                for folder in every
                for path in sorted((folder / kind).rglob("*.yaml"))
                for node in _nodes(path, record)
            ]
            known = getattr(result, kind)
            for node in _inherited(nodes, record):
                item = _build(node, record)
                if item.id in known:
                    at = result.sources[kind, item.id]
                    raise BadInput(
                        _file(node),
                        f"{kind} id {item.id!r} is taken ({_file(at)}:{_line(at)})",
                        "an id of its own",
                        line=_line(node),
                    )
                known[item.id] = item
                result.sources[kind, item.id] = node
        check_references(result)
        return result

    def get(self, kind: str, name: str) -> Any:
        """One item; an unknown name is answered with the nearest known ones."""
        known = getattr(self, kind)
        if name not in known:
            raise UnknownName(kind.rstrip("s"), name, known, f"mtpeft list {kind}")
        return known[name]

    def usable_run(self, name: str) -> Run:
        """A run that may be trained, asked and scored. Raises `UnknownName`, or `MtpeftError` for a
        withdrawn run.
        """
        run: Run = self.get("runs", name)
        if run.withdrawn:
            raise MtpeftError(
                f"run {name} is withdrawn: {run.withdrawn}",
                "a run that is not withdrawn",
                "mtpeft list runs",
            )
        return run

    def file_of(self, kind: str, name: str) -> Path:
        """The file that an item stands in."""
        self.get(kind, name)
        return _file(self.sources[kind, name])

    def bad(
        self, kind: str, name: str, word: str, found: str, expected: str = "", fix: str = ""
    ) -> BadInput:
        """An error about one word of an item, with the file and the line on which that word stands
        (else the item's line).
        """
        node = self.sources[kind, name]
        return BadInput(_file(node), found, expected, fix, line=_line_of(node, word) or _line(node))

    def evaluations(self) -> dict[str, Evaluation]:
        """Every evaluation set of every task, by id."""
        return {e.id: e for task in self.tasks.values() for e in task.evaluations}

    def task_of(self, evaluation: str) -> Task:
        """The task of an evaluation set; an unknown name is answered with the nearest known ones."""
        for task in self.tasks.values():
            if any(e.id == evaluation for e in task.evaluations):
                return task
        raise UnknownName("evaluation set", evaluation, self.evaluations())

    def adjustments(self) -> dict[str, str]:
        """The correction of p-values that the study uses, by comparison."""
        return {c.id: c.adjustment for c in self.comparisons.values()}

    def output_of(self, evaluation: str) -> str:
        """What an answer of an evaluation set is: `code`, `text`, `label` or `ranking`."""
        task = self.task_of(evaluation)
        return next(e.output for e in task.evaluations if e.id == evaluation) or task.output

    def metrics(self) -> dict[str, tuple[Tool, Metric]]:
        """Every metric with its tool, by metric id."""
        return {m.id: (tool, m) for tool in self.tools.values() for m in tool.metrics}

    def study(self, kind: str, study: str) -> Iterator[Any]:
        """The items of one kind that belong to one study."""
        return (item for item in getattr(self, kind).values() if item.study == study)


@lru_cache(maxsize=1)
def catalog() -> Catalog:
    """The shipped catalog plus the folders named in MTPEFT_CATALOG."""
    more = [Path(p) for p in os.environ.get("MTPEFT_CATALOG", "").split(os.pathsep) if p]
    for folder in more:
        if not folder.is_dir():
            raise BadInput(
                folder,
                "named in MTPEFT_CATALOG, but no such folder",
                "a catalog folder",
                "unset MTPEFT_CATALOG, or correct it",
            )
    return Catalog.load([CATALOG, *more])


def _nodes(path: Path, record: type) -> list[yaml.MappingNode]:
    """The items of one file as YAML nodes, matrices multiplied out. Each node knows its file."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except UnicodeDecodeError as error:
        raise BadInput(
            path, f"not UTF-8: {error.reason} at byte {error.start}", "a text file in UTF-8"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise BadInput(
            path,
            f"not YAML: {getattr(error, 'problem', error)}",
            "a YAML mapping",
            line=mark.line + 1 if mark else None,
        ) from error
    if node is None:
        raise BadInput(path, "the file is empty", f"the keys of a {record.__name__}")
    _mark_with(node, path)
    return list(
        _multiplied(node.value if isinstance(node, yaml.SequenceNode) else [node], record, {})
    )


def _read(path: Path, record: type) -> list[Any]:
    """The items of one file that extend nothing outside it."""
    return [_build(node, record) for node in _inherited(_nodes(path, record), record)]


def _mark_with(node: yaml.Node, path: Path) -> None:
    node.file = path
    for child in node.value if not isinstance(node, yaml.ScalarNode) else ():
        for part in child if isinstance(child, tuple) else (child,):
            _mark_with(part, path)


def _file(node: yaml.Node) -> Path:
    path: Path = node.file
    return path


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _line_of(node: yaml.Node, word: str) -> int | None:
    """The line of the first scalar below a node (keys included) that is `word`."""
    if isinstance(node, yaml.ScalarNode):
        return _line(node) if node.value == word else None
    parts = (p for child in node.value for p in (child if isinstance(child, tuple) else (child,)))
    return next((line for part in parts if (line := _line_of(part, word))), None)


def _error(node: yaml.Node, found: str, expected: str = "", fix: str = "") -> BadInput:
    return BadInput(_file(node), found, expected, fix, line=_line(node))


def _keys(node: yaml.Node, record: type) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """The keys of an item with the nodes of key and value; each may occur once."""
    if not isinstance(node, yaml.MappingNode):
        raise _error(node, f"a {node.id}", f"a mapping with the keys of a {record.__name__}")
    found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key, value in node.value:
        if str(key.value) in found:
            raise _error(key, f"key {key.value!r} again", "each key once")
        found[str(key.value)] = key, value
    return found


# ---------------------------------------------------------------- matrix


def _multiplied(
    nodes: Iterable[yaml.Node], record: type, values: dict[str, yaml.Node]
) -> Iterator[yaml.MappingNode]:
    """Every item of a list; `values` are those of the matrices around it."""
    for node in nodes:
        keys = _keys(node, record)
        axes = _axes(keys["matrix"][1]) if "matrix" in keys else {}
        for name in axes.keys() & values.keys():
            raise _error(
                keys["matrix"][0],
                f"matrix name {name!r} is that of a matrix around this one",
                "a name of its own",
            )
        rest = [pair for name, pair in keys.items() if name != "matrix"]
        if "items" in keys:
            for name in keys.keys() - {"matrix", "items"}:
                raise _error(keys[name][0], f"key {name!r} beside items", "matrix and items alone")
            if not isinstance(keys["items"][1], yaml.SequenceNode):
                raise _error(keys["items"][1], f"a {keys['items'][1].id}", "a list of items")
        for chosen in itertools.product(*axes.values()):
            inside = values | dict(zip(axes, chosen, strict=True))
            if "items" in keys:
                yield from _multiplied(keys["items"][1].value, record, inside)
            elif not inside:
                yield node
            else:
                made = yaml.MappingNode(
                    node.tag,
                    [(k, _filled(v, inside)) for k, v in rest],
                    node.start_mark,
                    node.end_mark,
                )
                made.file = _file(node)
                yield made


def _axes(node: yaml.Node) -> dict[str, list[yaml.Node]]:
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise _error(node, f"a {node.id}", "a mapping of names to lists of values")
    axes: dict[str, list[yaml.Node]] = {}
    for key, value in node.value:
        if not isinstance(value, yaml.SequenceNode) or not value.value:
            raise _error(value, f"matrix name {key.value!r} without values", "a list of values")
        if key.value in axes:
            raise _error(key, f"key {key.value!r} again", "each key once")
        axes[str(key.value)] = value.value
    return axes


def _filled(node: yaml.Node, values: dict[str, yaml.Node]) -> yaml.Node:
    """The node with every `{name}` replaced by its value."""
    if isinstance(node, yaml.ScalarNode):
        return _filled_scalar(node, values)
    made = copy.copy(node)
    made.value = [
        tuple(_filled(part, values) for part in child)
        if isinstance(child, tuple)
        else _filled(child, values)
        for child in node.value
    ]
    return made


def _filled_scalar(node: yaml.ScalarNode, values: dict[str, yaml.Node]) -> yaml.Node:
    def value(match: re.Match[str]) -> yaml.Node:
        name, key = match[1], match[2]
        if name not in values:
            unknown = UnknownName("name of a matrix", name, values)
            raise _error(node, unknown.found, unknown.expected)
        found = values[name]
        if key is None:
            return found
        inside = (
            {str(k.value): v for k, v in found.value} if isinstance(found, yaml.MappingNode) else {}
        )
        if key not in inside:
            unknown = UnknownName(f"key of a value of {name}", key, inside)
            raise _error(node, unknown.found, unknown.expected)
        return inside[key]

    if alone := _PLACEHOLDER.fullmatch(node.value):
        return value(alone)
    text = _PLACEHOLDER.sub(lambda match: _as_text(value(match), node), node.value)
    if text == node.value:
        return node
    made = copy.copy(node)
    made.value = text
    return made


def _as_text(node: yaml.Node, at: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return "+".join(_as_text(item, at) for item in node.value)
    raise _error(at, "a mapping inside a longer string", "one of its keys, {name.key}")


# ---------------------------------------------------------------- extends


def _inherited(nodes: list[yaml.MappingNode], record: type) -> Iterator[yaml.MappingNode]:
    """The items of one kind with what they extend filled in, without the abstract ones."""
    by_id: dict[str, yaml.MappingNode] = {}
    for node in nodes:
        name = _keys(node, record).get("id")
        if name is not None and str(name[1].value) not in by_id:
            by_id[str(name[1].value)] = node
    for node in nodes:
        keys = _keys(node, record)
        if "abstract" in keys and _build(keys["abstract"][1], bool):
            continue
        yield _complete(node, by_id, record, ())


def _complete(
    node: yaml.MappingNode, by_id: dict[str, yaml.MappingNode], record: type, below: tuple[str, ...]
) -> yaml.MappingNode:
    """An item with everything that it inherits, nearest first."""
    keys = _keys(node, record)
    if "extends" not in keys:
        return _without(node, ("abstract",))
    name_node = keys["extends"][1]
    name = str(_build(name_node, str))
    if name not in by_id:
        unknown = UnknownName(f"{record.__name__.lower()} to extend", name, by_id)
        raise _error(name_node, unknown.found, unknown.expected)
    chain = (*below, str(keys["id"][1].value) if "id" in keys else "")
    if name in chain:
        raise _error(
            name_node, f"{' extends '.join([*chain, name])}: a circle", "a chain that ends"
        )
    base = _complete(by_id[name], by_id, record, chain)
    return _merged(base, _without(node, ("extends", "abstract")))


def _without(node: yaml.MappingNode, names: tuple[str, ...]) -> yaml.MappingNode:
    made = copy.copy(node)
    made.value = [(k, v) for k, v in node.value if k.value not in names]
    return made


def _merged(base: yaml.MappingNode, over: yaml.MappingNode) -> yaml.MappingNode:
    """`over` on top of `base`: keys of the base keep their order, what only `over` has follows;
    null takes a key away.
    """
    mine = {str(k.value): (k, v) for k, v in over.value}
    value: list[tuple[yaml.Node, yaml.Node]] = []
    for key, inherited in base.value:
        own = mine.pop(str(key.value), None)
        if own is None:
            value.append((key, inherited))
        elif isinstance(inherited, yaml.MappingNode) and isinstance(own[1], yaml.MappingNode):
            value.append((own[0], _merged(inherited, own[1])))
        elif own[1].tag != "tag:yaml.org,2002:null":
            value.append(own)
    made = copy.copy(over)
    made.value = value + list(mine.values())
    return made


# ---------------------------------------------------------------- nodes to values


def _build(node: yaml.Node, hint: Any, name: str = "word") -> Any:
    """Turn a YAML node into a value of type `hint`; `name` says in errors what the value is."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return _build_record(node, hint)  # type: ignore[arg-type]
    if origin in (Union, types.UnionType):
        if node.tag == "tag:yaml.org,2002:null":
            return None
        return _build(node, next(a for a in arguments if a is not type(None)), name)
    if origin is Literal:
        value = _plain(node)
        if not isinstance(value, str) or value not in arguments:
            unknown = UnknownName(name, str(value), map(str, arguments))
            raise _error(node, unknown.found, unknown.expected)
        return value
    if origin is list:
        if not isinstance(node, yaml.SequenceNode):
            raise _error(node, f"a {node.id}", "a list")
        return [_build(item, arguments[0], name) for item in node.value]
    if origin is dict:
        return dict(_pairs(node, arguments[1]))
    value = _plain(node)
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise _error(node, f"{value!r} is a {type(value).__name__}", f"a {hint.__name__}")
    return value


def _pairs(node: yaml.Node, hint: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(node, yaml.MappingNode):
        raise _error(node, f"a {node.id}", "a mapping")
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            raise _error(key, f"key {name!r} again", "each key once")
        seen.add(name)
        yield name, _build(value, hint)


def _build_record(node: yaml.Node, record: type) -> Any:
    hints = get_type_hints(record)
    values: dict[str, Any] = {}
    for name, (key, value) in _keys(node, record).items():
        if name not in hints:
            unknown = UnknownName(
                f"key of a {record.__name__}",
                name,
                [*hints, *(_OWN_KEYS if record in KINDS.values() else ())],
            )
            raise _error(key, unknown.found, unknown.expected)
        values[name] = _build(value, hints[name], name)
    missing = [
        f.name
        for f in fields(record)
        if f.default is MISSING and f.default_factory is MISSING and f.name not in values
    ]
    if missing:
        raise _error(node, f"a {record.__name__} without {', '.join(missing)}", "these keys")
    return record(**values)


def _plain(node: yaml.Node) -> Any:
    """The plain Python value below a node, refusing duplicate keys at any depth."""
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(node, Any))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return yaml.constructor.SafeConstructor().construct_object(node)
