"""Reading the catalog: YAML nodes → dataclasses, strict about keys and types, errors with file and
line.
"""

import os
import types
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml

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
from mtpeft.core.errors import BadInput, UnknownName
from mtpeft.core.paths import CATALOG

# libyaml reads the catalog ten times faster, where PyYAML was built with it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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

    @classmethod
    def load(cls, folders: Iterable[Path]) -> "Catalog":
        """Read every `<folder>/<kind>/**/*.yaml`; ids must be unique and references must resolve."""
        result = cls()
        for folder in folders:
            for kind, record in KINDS.items():
                for path in sorted((folder / kind).rglob("*.yaml")):
                    for item in _read(path, record):
                        known = getattr(result, kind)
                        if item.id in known:
                            raise BadInput(
                                path, f"{kind} id {item.id!r} is taken", "an id of its own"
                            )
                        known[item.id] = item
        result._check_references()
        return result

    def get(self, kind: str, name: str) -> Any:
        """One item; an unknown name is answered with the nearest known ones."""
        known = getattr(self, kind)
        if name not in known:
            raise UnknownName(kind.rstrip("s"), name, known, f"mtpeft list {kind}")
        return known[name]

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

    def metrics(self) -> dict[str, tuple[Tool, Metric]]:
        """Every metric with its tool, by metric id."""
        return {m.id: (tool, m) for tool in self.tools.values() for m in tool.metrics}

    def study(self, kind: str, study: str) -> Iterator[Any]:
        """The items of one kind that belong to one study."""
        return (item for item in getattr(self, kind).values() if item.study == study)

    def _check_references(self) -> None:
        evaluations, metrics = self.evaluations(), self.metrics()
        for run in self.runs.values():
            self.get("backbones", run.backbone)
            self.get("methods", run.method)
            for task in run.tasks:
                self.get("tasks", task)
        for comparison in self.comparisons.values():
            for metric in comparison.metrics:
                if metric not in metrics:
                    raise UnknownName(f"metric of comparison {comparison.id}", metric, metrics)
            for block in comparison.blocks:
                self.get("runs", block.a)
                self.get("runs", block.b)
                task = block.task or comparison.task
                if task not in evaluations:
                    raise UnknownName(
                        f"evaluation of comparison {comparison.id}", task, evaluations
                    )
        for table in self.tables.values():
            for name in table.comparisons:
                self.get("comparisons", name)


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


def _read(path: Path, record: type) -> list[Any]:
    """The items of one file: one mapping, or a list of mappings for kinds that come in long uniform
    series.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
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
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    return [_build(path, item, record) for item in nodes]


def _build(path: Path, node: yaml.Node, hint: Any) -> Any:
    """Turn a YAML node into a value of type `hint`."""
    line = node.start_mark.line + 1
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        if not isinstance(node, yaml.MappingNode):
            raise BadInput(
                path, f"a {node.id}", f"a mapping with the keys of a {hint.__name__}", line=line
            )
        return _build_record(path, node, hint)
    if origin in (Union, types.UnionType):
        if node.tag == "tag:yaml.org,2002:null":
            return None
        return _build(path, node, next(a for a in arguments if a is not type(None)))
    if origin is list:
        if not isinstance(node, yaml.SequenceNode):
            raise BadInput(path, f"a {node.id}", "a list", line=line)
        return [_build(path, item, arguments[0]) for item in node.value]
    if origin is dict:
        return dict(_pairs(path, node, arguments[1]))
    value = _plain(path, node)
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise BadInput(
            path, f"{value!r} is a {type(value).__name__}", f"a {hint.__name__}", line=line
        )
    return value


def _pairs(path: Path, node: yaml.Node, hint: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(node, yaml.MappingNode):
        raise BadInput(path, f"a {node.id}", "a mapping", line=node.start_mark.line + 1)
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            raise BadInput(
                path, f"key {name!r} again", "each key once", line=key.start_mark.line + 1
            )
        seen.add(name)
        yield name, _build(path, value, hint)


def _build_record(path: Path, node: yaml.MappingNode, record: type) -> Any:
    hints = get_type_hints(record)
    values: dict[str, Any] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name not in hints:
            unknown = UnknownName(f"key of a {record.__name__}", name, hints)
            raise BadInput(path, unknown.found, unknown.expected, line=line)
        if name in values:
            raise BadInput(path, f"key {name!r} again", "each key once", line=line)
        values[name] = _build(path, value, hints[name])
    missing = [
        f.name
        for f in fields(record)
        if f.default is MISSING and f.default_factory is MISSING and f.name not in values
    ]
    if missing:
        raise BadInput(
            path,
            f"a {record.__name__} without {', '.join(missing)}",
            "these keys",
            line=node.start_mark.line + 1,
        )
    return record(**values)


def _plain(path: Path, node: yaml.Node) -> Any:
    """The plain Python value below a node, refusing duplicate keys at any depth."""
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(path, node, Any))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(path, item) for item in node.value]
    return yaml.constructor.SafeConstructor().construct_object(node)
