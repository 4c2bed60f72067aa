"""Score tables that several runs share: adding the scores of some runs, keeping those of the others.

A table names by run where its rows came from (in its provenance), so that a run of the same name
from another file is refused and never replaced in silence.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.locks import held
from mtpeft.core.paths import shown
from mtpeft.core.provenance import provenance_path, sha256, write_provenance
from mtpeft.core.records import csv_text, read_frame, read_scores, score_path, write_scores


class OtherScores(MtpeftError):
    """The table holds scores of the same run that come from elsewhere."""


def add_runs(
    root: Path,
    tool: str,
    evaluation: str,
    table: pd.DataFrame,
    *,
    source: Path | str,
    version: str,
    digest: str = "",
    replace: bool = False,
) -> Path:
    """Write the rows of a table among those of other runs; rows of the same runs are replaced.

    Args:
        root: Below which score tables lie.
        tool: The tool that gave the scores.
        evaluation: The evaluation set.
        table: The runs' scores, as `records.write_scores` takes them.
        source: The file of predictions, or the address of a service.
        version: The tool's version.
        digest: SHA-256 of the source as it was read; empty: as it is.
        replace: Also replace rows that came from another source.

    Returns:
        The table's path.

    Raises:
        OtherScores: A run's rows came from another source and `replace` is false, or the table
            that is there has other metrics.
    """
    path = score_path(root, tool, evaluation)
    with held(path):
        old = read_scores(path) if path.is_file() else None
        known = runs_of(path) if old is not None else {}
        name = _name(source)
        if old is not None:
            if list(old.columns) != list(table.columns):
                raise OtherScores(
                    f"{shown(path)} has the columns {', '.join(old.columns[4:])}",
                    ", ".join(table.columns[4:]),
                    f"move the table away, or name another folder with --out: mv {path} {path}.old",
                )
            for run in sorted(set(table["run"]) & set(old["run"])):
                before = known.get(run, {}).get("source", "another file")
                if before != name and not replace:
                    raise OtherScores(
                        f"{shown(path)} already has scores of {run}, from {before}",
                        f"scores of {run} from {name}",
                        "name another folder with --out, or replace them with --replace",
                    )
            kept = old[~old["run"].isin(set(table["run"]))]
            merged = pd.concat([kept, table]) if len(kept) else table
        else:
            merged = table
        now = sha256(source) if isinstance(source, Path) and source.is_file() else ""
        mine = {"source": name, "source_sha256": digest or now, "tool_version": version}
        runs = {r: known.get(r, {}) for r in merged["run"].unique()}
        runs |= dict.fromkeys(table["run"].unique(), mine)
        written = write_scores(root, tool, evaluation, merged)
        # A file that changed since it was read is not what these scores are of.
        inputs = [source] if isinstance(source, Path) and now and digest in ("", now) else []
        write_provenance(written, inputs, tool=tool, tool_version=version, runs=runs)
    return written


def keep_messages(
    root: Path, tool: str, evaluation: str, messages: Sequence[tuple[str, str, str]]
) -> Path:
    """Write what a tool said about each instance beside its scores, among what it said of other runs.

    Args:
        root: As in `add_runs`.
        tool: The tool.
        evaluation: The evaluation set.
        messages: Run, instance and message.

    Returns:
        The table's path.
    """
    scores = score_path(root, tool, evaluation)
    path = root / "messages" / tool / scores.name
    columns = ["run", "instance_id", "message"]
    with held(path):
        mine = {run for run, _, _ in messages}
        old = read_frame(path, columns).itertuples(index=False, name=None) if path.is_file() else ()
        rows = [*(row for row in old if row[0] not in mine), *messages]
        write_atomic(path, csv_text(columns, rows))
    return path


def runs_of(path: Path) -> dict[str, dict[str, Any]]:
    """Where the rows of a table came from, by run, as its provenance says; empty where none does."""
    try:
        record = json.loads(provenance_path(path).read_text(encoding="utf-8"))
        # A table that was changed since is not the one that this record is about.
        if record["result_sha256"] != sha256(path):
            return {}
        runs = record["runs"]
        return runs if isinstance(runs, dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _name(source: Path | str) -> str:
    return shown(source.resolve()) if isinstance(source, Path) else source
