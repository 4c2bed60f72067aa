"""What can be seen without a GPU: studies of ours on real weights, recorded or run by the reader."""

import re
from dataclasses import dataclass
from pathlib import Path

from mtpeft.catalog import Study
from mtpeft.core.records import read_frame
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section
from mtpeft.reporting.sections.digests import Digest, digests

_LONG = re.compile(r"-?\d+\.\d{5,}(e-?\d+)?")
FIRST = ("claims", "scores", "seeds", "prompting", "judge", "agreement")
"""Tables that are shown before the others of a folder."""


@dataclass(frozen=True)
class Shown:
    """A table of figures as it stands in its file.

    Attributes:
        name: Name of the file without its ending.
        columns: Its columns.
        rows: Its cells as text.
    """

    name: str
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Part:
    """One study, or one check, of real weights.

    Attributes:
        name: Name of its folder.
        title: What it is called.
        about: What it is.
        source: Where the tables lie; empty where it was not run.
        tables: Its tables.
        digests: What they say, for reading; empty where the folder is no study.
        command: What runs it; empty where the folder is no study.
    """

    name: str
    title: str
    about: str
    source: str
    tables: list[Shown]
    digests: list[Digest]
    command: str


def section(inputs: Inputs) -> Section | None:
    """Every study of ours and every recorded folder; None where there is neither a recorded figure
    nor one of the reader's own.
    """
    recorded = inputs.published.parent / "proofs"
    studies = {s.id: s for s in inputs.known.studies.values() if s.proof is not None}
    places = (recorded, inputs.regenerated / "proofs")
    folders = sorted({p.name for place in places for p in place.glob("*") if p.is_dir()})
    parts = []
    for name in [*studies, *(f for f in folders if f not in studies)]:
        own = inputs.regenerated / "proofs" / name / "full"
        place = next((p for p in (own, recorded / name) if _tables(p)), None)
        study = studies.get(name)
        if study is None and place is None:  # a check of which only the quick form was run
            continue
        parts.append(
            Part(
                name,
                study.title if study else name.replace("-", " ").capitalize(),
                study.about if study else "",
                inputs.shown(place) if place else "",
                [_shown(path, inputs) for path in _tables(place)] if place else [],
                _digests(study, place, inputs) if study and place else [],
                f"mtpeft proof {name}" if study else "",
            )
        )
    if not any(part.tables for part in parts):
        return None
    return Section(
        "proofs",
        "What a reviewer can see without a GPU",
        render("proofs.html", parts=parts),
        str(sum(bool(part.tables) for part in parts)),
    )


def _digests(study: Study, place: Path, inputs: Inputs) -> list[Digest]:
    frames = {path.stem: read_frame(path) for path in _tables(place)}
    return digests(study, frames, inputs.names)


def _tables(folder: Path) -> list[Path]:
    """The tables of a folder, those of `FIRST` before the others."""
    found = sorted(folder.glob("*.csv"))
    return sorted(found, key=lambda p: FIRST.index(p.stem) if p.stem in FIRST else len(FIRST))


def _shown(path: Path, inputs: Inputs) -> Shown:
    inputs.used.add(path)
    frame = read_frame(path)
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return Shown(path.stem, list(map(str, frame.columns)), rows)


def _cell(value: object) -> str:
    """At most four decimals; a dash for what is not there."""
    text = str(value)
    if text in ("", "nan", "None"):
        return "–"
    return f"{float(text):.4f}" if _LONG.fullmatch(text) else text
