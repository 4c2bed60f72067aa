"""YAML nodes → dataclasses, strict about keys, types and words; every error names file and line.

A file holds one item, or a list of items. Four keys are the loader's own:

- `extends: ID` takes everything that this item does not say from another item of the same kind,
  in whatever file it stands. Mappings are merged key by key, at any depth; lists and single values
  are replaced; a key set to null is left out.
- `abstract: true` marks an item that exists only to be extended; it is not listed.
- `matrix: {name: [value, …], …}` stands for one item per combination of its values, the last name
  varying fastest. In the other keys `{name}` is the value: alone in a string it is the value
  itself, a list too; inside a longer string a list is joined by `+`; `{name.key}` is a key of a
  value that is a mapping.
- `items: [item, …]` next to a matrix, and nothing else, repeats the whole list for each
  combination; an item may hold a matrix of its own.

YAML's own ways to say a thing once (`&name` with `*name`, `<<`) are refused: a few lines of them
stand for millions of values, or for a list that holds itself.
"""

import copy
import itertools
import math
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from mtpeft.core.errors import BadInput, UnknownName
from mtpeft.core.files import no_file

# libyaml reads the catalog ten times faster, where PyYAML was built with it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?:\.([A-Za-z_][A-Za-z0-9_]*))?\}")
_OWN_KEYS = ("extends", "abstract", "matrix", "items")
_TAG = "tag:yaml.org,2002:"
MOST = 10_000
"""Items that one matrix may stand for."""
_TYPES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "nothing",
    list: "a list",
    dict: "a mapping",
}
_OF_PLAIN = {"scalar": "a single value", "sequence": "a list", "mapping": "a mapping"}


def nodes_of(path: Path, record: type, study: str = "") -> list[yaml.MappingNode]:
    """The items of one file as YAML nodes, matrices multiplied out.

    Args:
        path: The file. Each node knows it, and the study.
        record: The dataclass of the items.
        study: Id of the study in whose folder the file stands.
    """
    if not path.is_file():
        raise no_file(path, "a text file in UTF-8")
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
        if node is not None:
            _mark_with(node, path, study)
    except OSError as error:
        raise BadInput(path, f"cannot be read: {error.strerror}", "a text file in UTF-8") from error
    except RecursionError as error:
        raise BadInput(path, "nested too deeply to be read", "a few levels") from error
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
        raise BadInput(path, "the file is empty", f"the keys of {_a(record)}")
    if isinstance(node, yaml.SequenceNode) and not node.value:
        raise error_at(node, "an empty list", f"the keys of {_a(record)}")
    return list(
        _multiplied(node.value if isinstance(node, yaml.SequenceNode) else [node], record, {})
    )


Report = Callable[[BadInput], None]
"""What becomes of an error: it is raised (`refuse`), or collected."""


def refuse(error: BadInput) -> None:
    """Raise the first error."""
    raise error


def items(
    nodes: list[yaml.MappingNode], record: type, report: Report = refuse, **given: Any
) -> Iterator[tuple[Any, yaml.MappingNode]]:
    """The items of one kind with their nodes, in order, inherited keys filled in, none abstract.

    Args:
        nodes: Everything of the kind, from whatever files (see `nodes_of`).
        record: The dataclass of the kind.
        report: What becomes of an error; where it returns, the item is left out.
        given: Values of fields that no key sets.
    """
    by_id: dict[str, yaml.MappingNode] = {}
    for node in nodes:
        names = [value.value for key, value in node.value if key.value == "id"]
        if names:
            by_id.setdefault(str(names[0]), node)
    for node in nodes:
        try:
            keys = _keys(node, record)
            abstract = "abstract" in keys and _build(keys["abstract"][1], bool)
            whole = _complete(node, by_id, record, ())
            if abstract:
                _values(whole, record, report)
                continue
            item = _build_record(whole, record, {"study": study_of(node)} | given, report)
        except BadInput as error:
            report(error)
        else:
            yield item, whole


@dataclass(frozen=True)
class _Origin:
    """Where a node stands; kept as an attribute of the node, for which PyYAML has no place."""

    file: Path
    study: str


def _origin(node: yaml.Node) -> _Origin:
    origin = getattr(node, "mtpeft_origin", None)
    assert isinstance(origin, _Origin), "nodes come from nodes_of, which marks them"
    return origin


def _mark(node: yaml.Node, origin: _Origin) -> None:
    vars(node)["mtpeft_origin"] = origin


def _mark_with(node: yaml.Node, path: Path, study: str) -> None:
    """Mark every node once; one that is met again is an alias of itself."""
    if hasattr(node, "mtpeft_origin"):
        raise error_at(
            node,
            "a part that is used again through an anchor and an alias (&name, *name)",
            "extends: or matrix:, or the part written out",
        )
    _mark(node, _Origin(path, study))
    if isinstance(node, yaml.ScalarNode):
        return
    if node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
        raise error_at(node, f"the tag {node.tag.removeprefix(_TAG)}", "a plain list or mapping")
    for child in node.value:
        for part in child if isinstance(child, tuple) else (child,):
            _mark_with(part, path, study)
        if isinstance(child, tuple) and not isinstance(child[0], yaml.ScalarNode):
            raise error_at(child[0], f"{_kind(child[0])} as a key", "a word as a key")


def file_of(node: yaml.Node) -> Path:
    """The file in which a node stands."""
    return _origin(node).file


def study_of(node: yaml.Node) -> str:
    """The study in whose folder a node stands, or an empty string."""
    return _origin(node).study


def line(node: yaml.Node) -> int:
    """The line at which a node begins, from 1."""
    return int(node.start_mark.line) + 1


def line_of(node: yaml.Node, word: str) -> int | None:
    """The line of the first scalar below a node (keys included) that is `word`."""
    if isinstance(node, yaml.ScalarNode):
        return line(node) if node.value == word else None
    parts = (p for child in node.value for p in (child if isinstance(child, tuple) else (child,)))
    return next((found for part in parts if (found := line_of(part, word))), None)


def error_at(node: yaml.Node, found: str, expected: str = "", fix: str = "") -> BadInput:
    """An error that names the file and line of a node."""
    return BadInput(file_of(node), found, expected, fix, line=line(node))


def _kind(node: yaml.Node) -> str:
    """What a node is, for errors: `a single value`, `a list` or `a mapping`."""
    return _OF_PLAIN[str(getattr(node, "id", "scalar"))]


def _a(record: type) -> str:
    """`a Run`, `an Evaluation`: the name of a record in a sentence."""
    return f"a{'n' if record.__name__[0] in 'AEIOU' else ''} {record.__name__}"


def _keys(node: yaml.Node, record: type) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """The keys of an item with the nodes of key and value; each may occur once."""
    if not isinstance(node, yaml.MappingNode):
        raise error_at(node, _kind(node), f"a mapping with the keys of {_a(record)}")
    found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key, value in node.value:
        if str(key.value) in found:
            raise error_at(key, f"key {key.value!r} again", "each key once")
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
            raise error_at(
                keys["matrix"][0],
                f"matrix name {name!r} is that of a matrix around this one",
                "a name of its own",
            )
        if (size := math.prod(map(len, axes.values()))) > MOST:
            raise error_at(keys["matrix"][0], f"a matrix of {size} items", f"at most {MOST}")
        rest = [pair for name, pair in keys.items() if name != "matrix"]
        if "items" in keys:
            for name in keys.keys() - {"matrix", "items"}:
                raise error_at(
                    keys[name][0], f"key {name!r} next to items", "matrix and items alone"
                )
            if not isinstance(keys["items"][1], yaml.SequenceNode):
                raise error_at(keys["items"][1], _kind(keys["items"][1]), "a list of items")
        for chosen in itertools.product(*axes.values()):
            inside = values | dict(zip(axes, chosen, strict=True))
            if "items" in keys:
                yield from _multiplied(keys["items"][1].value, record, inside)
            elif not inside:
                assert isinstance(node, yaml.MappingNode), "_keys has refused anything else"
                yield node
            else:
                made = yaml.MappingNode(
                    node.tag,
                    [(k, _filled(v, inside)) for k, v in rest],
                    node.start_mark,
                    node.end_mark,
                )
                _mark(made, _origin(node))
                yield made


def _axes(node: yaml.Node) -> dict[str, list[yaml.Node]]:
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise error_at(node, _kind(node), "a mapping of names to lists of values")
    axes: dict[str, list[yaml.Node]] = {}
    for key, value in node.value:
        if not isinstance(value, yaml.SequenceNode) or not value.value:
            raise error_at(value, f"matrix name {key.value!r} without values", "a list of values")
        if key.value in axes:
            raise error_at(key, f"key {key.value!r} again", "each key once")
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
            raise error_at(node, unknown.found, unknown.expected)
        found = values[name]
        if key is None:
            return found
        inside: dict[str, yaml.Node] = (
            {str(k.value): v for k, v in found.value} if isinstance(found, yaml.MappingNode) else {}
        )
        if key not in inside:
            unknown = UnknownName(f"key of a value of {name}", key, inside)
            raise error_at(node, unknown.found, unknown.expected)
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
    raise error_at(at, "a mapping inside a longer string", "one of its keys, {name.key}")


# ---------------------------------------------------------------- extends


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
        raise error_at(name_node, unknown.found, unknown.expected)
    chain = (*below, str(keys["id"][1].value) if "id" in keys else "")
    if name in chain:
        raise error_at(
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
            raise error_at(node, unknown.found, unknown.expected)
        return value
    if origin is list:
        if not isinstance(node, yaml.SequenceNode):
            raise error_at(node, _kind(node), "a list")
        return [_build(item, arguments[0], name) for item in node.value]
    if origin is dict:
        if get_origin(arguments[0]) is Literal and isinstance(node, yaml.MappingNode):
            for key, _ in node.value:
                _build(key, arguments[0], name.removesuffix("s"))
        return dict(_pairs(node, arguments[1]))
    value = _plain(node)
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        word = _TYPES.get(type(value), f"a {type(value).__name__}")
        quoted = f', in quotes: "{node.value}"' if hint is str and value is not None else ""
        if not isinstance(node, yaml.ScalarNode):
            quoted = ""
        raise error_at(
            node, "nothing" if value is None else f"{value!r} is {word}", _TYPES[hint] + quoted
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise error_at(node, f"{node.value} is no finite number", "a number")
    return value


def _pairs(node: yaml.Node, hint: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(node, yaml.MappingNode):
        raise error_at(node, _kind(node), "a mapping")
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            raise error_at(key, f"key {name!r} again", "each key once")
        seen.add(name)
        yield name, _build(value, hint)


_hints = cache(get_type_hints)  # the same few records, hundreds of times


def _build_record(
    node: yaml.Node,
    record: type,
    given: Mapping[str, Any] = MappingProxyType({}),
    report: Report = refuse,
) -> Any:
    own = {f.name for f in fields(record) if "given" in f.metadata}
    errors: list[BadInput] = []
    values = {name: given[name] for name in own} | _values(node, record, errors.append)
    missing = [
        f.name
        for f in fields(record)
        if f.default is MISSING and f.default_factory is MISSING and f.name not in values
    ]
    if missing:
        found = f"{_a(record)} without {', '.join(missing)}"
        errors.append(error_at(node, found, "these keys"))
    for error in errors[:-1]:
        report(error)
    if errors:
        raise errors[-1]
    return record(**values)


def _values(node: yaml.Node, record: type, report: Report) -> dict[str, Any]:
    """The values of the keys that are there; what is wrong with one is reported, and it is None."""
    known = {f.name: f for f in fields(record) if "given" not in f.metadata}
    hints, values = _hints(record), {}
    for name, (key, value) in _keys(node, record).items():
        if name not in known:
            unknown = UnknownName(f"key of {_a(record)}", name, [*known, *_OWN_KEYS])
            report(error_at(key, unknown.found, unknown.expected))
            continue
        try:
            values[name] = _build(value, hints[name], name)
            _check_limits(value, values[name], name, known[name].metadata)
        except BadInput as fault:
            report(fault)
            values[name] = None
    return values


def _check_limits(node: yaml.Node, value: Any, name: str, limits: Mapping[str, Any]) -> None:
    """Refuse a number beyond `least` and `most`, and a list that must have `some` and has none or
    has one twice.
    """
    least, most = limits.get("least", -math.inf), limits.get("most", math.inf)
    bound = f"at least {least:g}" if most == math.inf else f"{least:g} to {most:g}"
    numbers = value.values() if isinstance(value, dict) else [value]
    for number in numbers:
        if isinstance(number, int | float) and (number < least or number > most):
            raise error_at(node, f"{name} is {number:g}", bound)
    if "one" in limits and isinstance(value, list):
        ids = [item.id for item in value]
        for number, item in enumerate(ids):
            if item in ids[:number]:
                raise error_at(node.value[number], f"{name}: id {item!r} again", "each id once")
    if "some" in limits and isinstance(value, list):
        if not value:
            raise error_at(node, f"{name} is empty", "one or more")
        for number, item in enumerate(value):
            if isinstance(item, str | int) and item in value[:number]:
                raise error_at(node, f"{name} names {item} twice", "each once")


def _plain(node: yaml.Node) -> Any:
    """The plain Python value below a node, refusing duplicate keys at any depth."""
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(node, Any))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError, KeyError, OverflowError, AttributeError) as error:
        found = f"{node.tag.removeprefix('tag:yaml.org,2002:')} {ascii(node.value)[:60]}"
        raise error_at(node, found, "a plain text, number or truth value") from error
