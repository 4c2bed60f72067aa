"""Reading the catalog: every file of every folder, unknown keys, words and names refused."""

import os
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from mtpeft.catalog.index import Catalog
from mtpeft.catalog.nodes import Report, error_at, file_of, items, line, nodes_of, refuse
from mtpeft.catalog.references import problems
from mtpeft.catalog.schema import KINDS, OWNED
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.core.files import no_folder
from mtpeft.core.names import safe_path
from mtpeft.core.paths import CATALOG, STUDIES

STUDY = "study.yaml"


def load(folders: Iterable[Path], report: Report = refuse) -> Catalog:
    """Read every file of every folder; ids must be unique and references must resolve.

    Args:
        folders: Each is a study (it holds `study.yaml`), or holds folders of kinds (`tasks/`,
            `runs/` …), studies below `studies/`, or studies themselves.
        report: What becomes of an error. By default the first is raised; a function that returns
            gets them all, and what is wrong is left out of the catalog.

    Raises:
        BadInput: With file and line, for whatever cannot be read or refers to nothing.
    """
    result = Catalog()
    places = [place for folder in folders for place in _places(folder, report)]
    for kind, record in KINDS.items():
        if kind == "tasks":  # studies are read: those of one folder in the order of publication
            order = {s: (known.arxiv or "~", s) for s, known in result.studies.items()}
            result.studies = {s: result.studies[s] for s in sorted(order, key=order.__getitem__)}
            places.sort(key=lambda place: order.get(place[1], ("", "")))
        one = record.__name__.lower()
        for item, node in _items(kind, record, places, report):
            known = getattr(result, kind)
            try:
                safe_path(item.id, f"id of a {one}")
            except MtpeftError as fault:
                report(error_at(node, fault.found, fault.expected))
                continue
            if item.id in known:
                at = result.sources[kind, item.id]
                found = f"id {item.id!r} of a {one} is taken ({file_of(at)}:{line(at)})"
                report(error_at(node, found, "an id of its own"))
                continue
            known[item.id] = item
            result.sources[kind, item.id] = node
    for error in problems(result):
        report(error)
    return result


def _places(folder: Path, report: Report) -> list[tuple[Path, str]]:
    """(folder, id of its study or empty) for every folder with folders of kinds."""
    if (folder / STUDY).is_file():
        return [(folder, folder.resolve().name)]
    inside = _studies_in(folder)
    shared = any((folder / kind).is_dir() for kind in KINDS)
    if not inside and not shared:
        report(
            BadInput(
                folder,
                "nothing that belongs in a catalog",
                f"{STUDY}, studies/NAME/{STUDY}, or a folder of {', '.join(list(KINDS)[1:])}",
                "mtpeft study new NAME",
            )
        )
    return [*([(folder, "")] if shared else []), *((p.parent, p.parent.name) for p in inside)]


def _studies_in(folder: Path) -> list[Path]:
    """The `study.yaml` of every study in a folder of studies."""
    return sorted({*folder.glob(f"studies/*/{STUDY}"), *folder.glob(f"*/{STUDY}")})


def _items(
    kind: str, record: type, places: list[tuple[Path, str]], report: Report
) -> Iterator[tuple[Any, yaml.MappingNode]]:
    """The items of one kind in all places, with their nodes."""
    if kind == "studies":
        for folder, study in places:
            if study:
                for error in _strays(folder):
                    report(error)
                nodes = _read(folder / STUDY, record, study, report)
                yield from items(nodes, record, report, id=study, folder=folder)
        return
    nodes = []
    for folder, study in places:
        for path in sorted((folder / kind).rglob("*.yaml")):
            if kind in OWNED and not study:
                report(
                    BadInput(
                        path,
                        f"{kind} outside a study",
                        f"studies/NAME/{kind}/, next to the {STUDY} of the study they belong to",
                        "mtpeft study new NAME",
                    )
                )
                continue
            nodes += _read(path, record, study, report)
    yield from items(nodes, record, report)


def _read(path: Path, record: type, study: str, report: Report) -> list[yaml.MappingNode]:
    try:
        return nodes_of(path, record, study)
    except BadInput as error:
        report(error)
        return []


def _strays(folder: Path) -> Iterator[BadInput]:
    """YAML files that nothing would read: in a misspelt folder they would be ignored."""
    for path in sorted(folder.rglob("*.y*ml")):
        parts = path.relative_to(folder).parts
        if len(parts) == 1 and path.name == STUDY:
            continue
        if len(parts) > 1 and parts[0] in KINDS and parts[0] != "studies":
            if path.suffix != ".yaml":
                yield BadInput(path, f"the name ends in {path.suffix}", f"{path.stem}.yaml")
            continue
        unknown = UnknownName("folder of a study", parts[0], [*list(KINDS)[1:], STUDY])
        yield BadInput(path, unknown.found, unknown.expected)


@lru_cache(maxsize=1)
def catalog() -> Catalog:
    """What is shipped, and what stands in the folders named in MTPEFT_CATALOG or by --catalog.

    Modules that a folder's YAML names are looked for in the folder and its studies, too.

    Raises:
        BadInput: A folder is missing, or an item in it is wrong.
    """
    return load([CATALOG, STUDIES, *outside()])


def outside() -> list[Path]:
    """The folders named in MTPEFT_CATALOG or by --catalog, each once, however often it is named.

    Modules in them can be imported from now on.

    Raises:
        BadInput: A folder is missing.
    """
    named = filter(None, os.environ.get("MTPEFT_CATALOG", "").split(os.pathsep))
    more = list({os.path.realpath(p): Path(p) for p in named}.values())
    for folder in more:
        if not folder.is_dir():
            raise no_folder(
                folder,
                "named in MTPEFT_CATALOG or by --catalog: a study, or a folder with studies, tasks, tools, runs",
                "unset MTPEFT_CATALOG, or correct it",
            )
        look_for_modules_in(folder)
    return more


def look_for_modules_in(folder: Path) -> None:
    """Let modules of a folder of the catalog, and those beside each `study.yaml` in it, be imported.

    They come last: what is installed is never shadowed.
    """
    for place in (folder, *(path.parent for path in _studies_in(folder))):
        if str(place.resolve()) not in sys.path:
            sys.path.append(str(place.resolve()))
