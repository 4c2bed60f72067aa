"""T2: every archived output scored again, and compared per instance with the archived scores.

Written below `paths.REGENERATED`:

- scores/TOOL/EVALUATION.csv: records with their status (a score that could not be computed has
  none).
- as-published/scores/TOOL/EVALUATION.csv: the same with what the study's scripts write for an
  unparseable output (zeros; Pylint: one error); the published statistics rest on these.
- rescore/summary.csv: per tool, evaluation and run the instances, how many are equal, within
  tolerance, and so on.
- rescore/differences.csv: every value that differs, with the reason where it shows.
- rescore/problems.csv: lines of the prediction files that could not be used.
- rescore/messages/TOOL/EVALUATION.jsonl.gz: what each tool said about each instance.

The verdicts on it are verification's (`mtpeft.verification.rescored`).
"""

import gzip
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

import pandas as pd

from mtpeft.catalog import Evaluation, Tool, catalog
from mtpeft.catalog.places import archived_table
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import sha256, write_provenance
from mtpeft.core.records import (
    csv_text,
    read_scores,
    write_records,
    write_scores,
)
from mtpeft.core.rescored import Difference, Line
from mtpeft.scoring import engine
from mtpeft.scoring.interface import Item
from mtpeft.scoring.predictions import (
    Predictions,
    archived_path,
    read_archived,
)
from mtpeft.scoring.predictions import (
    sets as archived_sets,
)
from mtpeft.scoring.sonar import archived_reading

# Tools that score archived outputs without any service. Of the value: the tool whose archived
# scores they answer to.
RESCORED = {
    "lizard": "lizard",
    "lizard-plain": "",
    "pylint": "pylint",
    "flake8": "",
    "pmd": "pmd",
    "pmd-current": "",
    "checkstyle": "",
    "sonar-metrics": "sonarcloud",
    "codebleu": "codebleu",
    "codebleu-corrected": "",
}
# Counts must be equal; CodeBLEU is a float whose last digits depend on the order of summation.
TOLERANCE = {"codebleu": 1e-9}
SPREADS_ITS_OWN_WORK = {"codebleu": 3000, "codebleu-corrected": 3000, "execution": 100}
NO_OUTPUTS = "not reproducible: the outputs were not archived"
ELSEWHERE = {
    "codereval": "cannot run here: needs CoderEval's own Docker environment with its tests",
    "sonarcloud": "cannot run here: the issue counts need SonarCloud's rules (see docker/sonarqube-compose.yaml)",
}


def run(tools: Sequence[str] = (), force: bool = False) -> list[Line]:
    """Score the archived outputs with every tool (or those named) and write everything that the
    module's text lists.

    Args:
        tools: The tools (default: all of `RESCORED`). Lines of others are kept from the last run.
        force: Write again what is up to date (the cache of scores still serves).

    Returns:
        The lines of the summary.

    Raises:
        UnknownName: The catalog has no such tool.
        MtpeftError: A tool does not score archived outputs.
    """
    start = time.monotonic()
    chosen = [catalog().get("tools", name).id for name in tools] or list(RESCORED)
    for name in chosen:
        if name not in RESCORED:
            raise MtpeftError(f"{name} does not score archived outputs", ", ".join(RESCORED))
    sources = {e: archived_path(e) for e in archived_sets()}
    state = {e: sha256(path) for e, path in sources.items()}
    sets: dict[str, Predictions] = {}
    for name in chosen:
        stamp = _stamp_path(name)
        wanted = _stamp(name, state)
        if not force and wanted is not None and up_to_date(stamp, wanted):
            continue
        for evaluation in archived_sets():
            if evaluation not in sets:
                sets[evaluation] = read_archived(evaluation)
        lines, differences, written = _score_tool(name, sets)
        write_atomic(
            stamp,
            json.dumps(
                {
                    "inputs": wanted,
                    "files": {
                        p.relative_to(paths.REGENERATED).as_posix(): sha256(p) for p in written
                    },
                    "lines": [asdict(x) for x in lines],
                    "differences": [asdict(x) for x in differences],
                },
                sort_keys=True,
            )
            + "\n",
        )
    # What `make` looks at keeps its time where no tool had anything to do.
    lines = _collect(sets, sources, write=bool(sets) or not (folder() / "summary.csv").is_file())
    print(
        f"mtpeft: {len(lines)} lines in {paths.shown(folder() / 'summary.csv')}, {time.monotonic() - start:.1f} s"
    )
    return lines


def folder() -> Path:
    """Where the comparison is written."""
    return paths.REGENERATED / "rescore"


def as_published_root() -> Path:
    """Root of the score tables as the study's scripts would have written them."""
    return paths.REGENERATED / "as-published"


def _stamp_path(tool: str) -> Path:
    return folder() / "parts" / f"{tool}.json"


def _stamp(tool: str, state: dict[str, str]) -> dict[str, object] | None:
    """Everything that a tool's results depend on, or None where the tool is not here."""
    try:
        version = engine.identity(engine.load(tool))
    except Unavailable:
        return None
    answers = RESCORED[tool]
    tables = [archived_table(catalog(), answers, e) for e in archived_sets()] if answers else []
    return {
        "predictions": state,
        "version": version,
        "archived": {p.name: sha256(p) for p in tables if p.is_file()},
        "rules": [sha256(Path(p)) for p in (__file__, archived_reading.__file__)],
    }


def up_to_date(stamp: Path, wanted: dict[str, object]) -> bool:
    """Whether what a stamp records was made from `wanted`, and every file that it names is as it
    was.
    """
    if not stamp.is_file():
        return False
    try:
        record = json.loads(stamp.read_text(encoding="utf-8"))
        return record["inputs"] == wanted and all(
            (paths.REGENERATED / name).is_file() and sha256(paths.REGENERATED / name) == digest
            for name, digest in record["files"].items()
        )
    except (ValueError, KeyError):
        return False


def _score_tool(
    name: str, sets: dict[str, Predictions]
) -> tuple[list[Line], list[Difference], list[Path]]:
    """Score everything that a tool accepts, and write its tables and messages.

    Returns:
        The lines, the differences and the files.
    """
    tool, answers = catalog().tools[name], RESCORED[name]
    try:
        scorer = engine.load(name)
        version = scorer.version()
        evaluations = [
            e
            for e in map(catalog().evaluations().get, archived_sets())
            if e and engine.applies(tool, scorer, e)
        ]
        items = {e.id: prepared(name, e, sets[e.id].items) for e in evaluations}
        flat = [item for part in items.values() for item in part]
        outcomes = engine.score(name, flat, batch=SPREADS_ITS_OWN_WORK.get(name, 0), seconds=1800)
    except Unavailable as error:
        return (
            [
                _absent(name, tool, e, f"cannot run here: {error.found}")
                for e in _archived_of(answers)
            ],
            [],
            [],
        )
    lines: list[Line] = []
    differences: list[Difference] = []
    written: list[Path] = []
    position = 0
    for evaluation in evaluations:
        part = items[evaluation.id]
        own = outcomes[position : position + len(part)]
        position += len(part)
        rejected = sets[evaluation.id].rejected
        part = part + list(rejected)
        own = own + [
            engine.failure(scorer.metrics, reason, status) for status, reason in rejected.values()
        ]
        table = engine.table(part, own, scorer.metrics)
        published = as_published(table, tool if not answers else catalog().tools[answers])
        read: Counter[str] = Counter()
        if name == "sonar-metrics":
            published, read = archived_reading.read_as_archived(evaluation, published, part, own)
        written += [
            _write_table(paths.REGENERATED, name, version, evaluation, table, sets),
            _write_table(as_published_root(), name, version, evaluation, published, sets),
            _write_messages(name, evaluation, part, own),
        ]
        more, found = compare(name, version, evaluation, table, published, [o.detail for o in own])
        lines += [
            replace(
                line,
                reason=f"{read[line.run]} doubtful outputs are read because SonarCloud read them",
            )
            if read[line.run]
            else line
            for line in more
        ]
        differences += found
    done = {e.id for e in evaluations}
    lines += [_absent(name, tool, e, NO_OUTPUTS) for e in _archived_of(answers) if e.id not in done]
    return lines, differences, written


def prepared(tool: str, evaluation: Evaluation, items: list[Item]) -> list[Item]:
    """Items with what the tool needs next to the output: CodeBLEU reads the reference and the text
    before layout.
    """
    if not tool.startswith("codebleu"):
        return items
    from mtpeft.corpora.load import evaluation as instances
    from mtpeft.scoring.codebleu.layout import unformat

    references = {example.id: example.target for example in instances(evaluation.id)}
    laid_out = archived_sets()[evaluation.id].laid_out
    # CodeBLEU reads the output alone, whatever class the audit would wrap it in.
    return [
        replace(
            item,
            output=unformat(item.output) if laid_out else item.output,
            reference=references[item.instance_id],
            unit="",
        )
        for item in items
    ]


def as_published(table: pd.DataFrame, tool: Tool) -> pd.DataFrame:
    """The table as the study's scripts would have written it: an unparseable output has the tool's
    values for that.

    These are the catalog's `unparseable_when`, and 0 for every other metric. A failure of the tool
    keeps no value.
    """
    result = table.copy()
    unread = result["status"].isin(["unparseable", "empty"])
    for metric in table.columns[4:]:
        value = tool.unparseable_when.get(metric, 0.0)
        values = pd.to_numeric(result[metric], errors="coerce")
        result[metric] = values.where(~(unread & values.isna()), value)
    result.loc[unread, "status"] = "ok"
    return result


def compare(
    name: str,
    version: str,
    evaluation: Evaluation,
    table: pd.DataFrame,
    published: pd.DataFrame,
    details: Sequence[str],
) -> tuple[list[Line], list[Difference]]:
    """Hold a table against the archived scores, instance by instance.

    Args:
        name: The tool.
        version: Its version.
        evaluation: The evaluation set.
        table: The scores with their status.
        published: The same as the study's scripts would have written them.
        details: What the tool said about each instance.

    Returns:
        The lines of the summary (sorted by run), and the differences.
    """
    answers = RESCORED.get(name, name)
    path = archived_table(catalog(), answers, evaluation.id)
    old = (
        read_scores(path).set_index(["run", "instance_id"]) if answers and path.is_file() else None
    )
    metrics = [m for m in table.columns[4:] if old is not None and m in old.columns]
    tolerance = TOLERANCE.get(name, 0.0)
    told = dict(
        zip(
            zip(table["run"], table["instance_id"], strict=True),
            zip(table["status"], details, strict=True),
            strict=True,
        )
    )
    new = published.set_index(["run", "instance_id"])
    lines, differences = [], []
    runs = sorted(
        set(table["run"]) | (set(old.index.get_level_values(0)) if old is not None else set())
    )
    for run_id in runs:
        states = table.loc[table["run"] == run_id, "status"].value_counts()
        mine = new.loc[[run_id]] if run_id in new.index.get_level_values(0) else new.iloc[:0]
        line = Line(
            name,
            version,
            answers,
            evaluation.id,
            run_id,
            " ".join(metrics or table.columns[4:]),
            len(mine),
            unparseable=int(states.get("unparseable", 0)),
            empty=int(states.get("empty", 0)),
            infrastructure=int(states.get("infrastructure", 0)),
            tolerance=tolerance,
        )
        theirs = (
            old.loc[[run_id]]
            if old is not None and run_id in old.index.get_level_values(0)
            else None
        )
        if theirs is None:
            lines.append(replace(line, not_archived=len(mine), reason="no archived scores"))
            continue
        both = mine.index.intersection(theirs.index, sort=False)
        gap = mine.loc[both, metrics].astype(float) - theirs.loc[both, metrics].astype(float)
        equal = (gap == 0).all(axis=1)
        near = (gap.abs() <= tolerance).all(axis=1) & ~equal
        lines.append(
            replace(
                line,
                instances=len(mine.index.union(theirs.index)),
                equal=int(equal.sum()),
                within_tolerance=int(near.sum()),
                different=int((~equal & ~near).sum()),
                no_output=len(theirs) - len(both),
                not_archived=len(mine) - len(both),
            )
        )
        for key, row in gap[~equal & ~near].iterrows():
            status, detail = told[key]
            differences += [
                _difference(
                    line, key[1], m, theirs.at[key, m], mine.at[key, m], tolerance, status, detail
                )
                for m in metrics
                if not abs(row[m]) <= tolerance
            ]
    return lines, differences


def _difference(
    line: Line,
    instance: str,
    metric: str,
    old: float,
    new: float,
    tolerance: float,
    status: str,
    detail: str,
) -> Difference:
    missing = pd.isna(new)
    if missing:
        reason = "the tool failed here"
    elif status in ("unparseable", "empty"):
        reason = "read when archived, unparseable here"
    elif old == 0 and line.answers_to == "sonarcloud":
        reason = "unparseable when archived, read here"
    elif line.answers_to == "codebleu":
        reason = "the text before layout and the hash seed were not archived"
    else:
        reason = ""
    first = detail.splitlines()[0][:200] if detail else ""
    return Difference(
        line.tool,
        line.evaluation,
        line.run,
        instance,
        metric,
        float(old),
        None if missing else float(new),
        None if missing else float(new - old),
        status,
        reason,
        first,
    )


def _archived_of(tool: str) -> list[Evaluation]:
    known = catalog()
    return (
        [known.evaluations()[e] for e in dict.fromkeys(known.tools[tool].archive.values())]
        if tool
        else []
    )


def _absent(name: str, tool: Tool, evaluation: Evaluation, reason: str) -> Line:
    """A line for archived scores that were not computed again, over all their runs."""
    path = archived_table(catalog(), RESCORED.get(name, name) or name, evaluation.id)
    count = len(read_scores(path)) if path.is_file() else 0
    line = Line(
        name,
        "",
        RESCORED.get(name, name),
        evaluation.id,
        "",
        " ".join(m.id for m in tool.metrics),
        count,
        reason=reason,
    )
    return (
        replace(line, no_output=count)
        if reason == NO_OUTPUTS
        else replace(line, cannot_run_here=count)
    )


def _untouched() -> list[Line]:
    """Lines for the archived scores that none of the tools in `RESCORED` answers to."""
    lines = []
    for tool in catalog().tools.values():
        if tool.id in RESCORED or not tool.archive:
            continue
        for evaluation in _archived_of(tool.id):
            line = _absent(
                tool.id,
                tool,
                evaluation,
                ELSEWHERE.get(tool.id, NO_OUTPUTS)
                if evaluation.id in archived_sets()
                else NO_OUTPUTS,
            )
            if tool.id == "sonarcloud":
                mine = catalog().tools["sonar-metrics"].metrics
                line = replace(
                    line,
                    metrics=" ".join(
                        m.id for m in tool.metrics if m.id not in {x.id for x in mine}
                    ),
                )
            lines.append(line)
    return lines


def _write_table(
    root: Path,
    tool: str,
    version: str,
    evaluation: Evaluation,
    table: pd.DataFrame,
    sets: dict[str, Predictions],
) -> Path:
    path = write_scores(root, tool, evaluation.id, table)
    write_provenance(
        path,
        [sets[evaluation.id].path],
        tool=tool,
        tool_version=version,
        statuses=table["status"].value_counts().to_dict(),
    )
    return path


def _write_messages(
    tool: str, evaluation: Evaluation, items: Sequence[Item], outcomes: Sequence[engine.Outcome]
) -> Path:
    lines = []
    for item, outcome in zip(items, outcomes, strict=True):
        messages = {m: detail for m, (_, _, detail) in outcome.cells.items() if detail}
        lines.append(
            json.dumps(
                {
                    "run": item.run,
                    "instance_id": item.instance_id,
                    "status": outcome.status,
                    "messages": messages,
                },
                sort_keys=True,
                ensure_ascii=False,
            )
            + "\n"
        )
    path = folder() / "messages" / tool / f"{evaluation.id}.jsonl.gz"
    # Without the time in the header, equal messages are equal bytes.
    write_atomic(
        path, gzip.compress("".join(lines).encode("utf-8", "replace"), compresslevel=6, mtime=0)
    )
    return path


def _collect(sets: dict[str, Predictions], sources: dict[str, Path], write: bool) -> list[Line]:
    """Merge the parts of all tools into the lines of the comparison.

    Args:
        sets: What was read of each evaluation set.
        sources: The files of the archived outputs.
        write: Whether to write the files of the comparison, too.
    """
    lines, differences = [], []
    for name in RESCORED:
        if _stamp_path(name).is_file():
            part = json.loads(_stamp_path(name).read_text(encoding="utf-8"))
            lines += [Line(**x) for x in part["lines"]]
            differences += [Difference(**x) for x in part["differences"]]
    lines += _untouched()
    if not write:
        return lines
    write_records(folder() / "summary.csv", lines, Line)
    write_provenance(folder() / "summary.csv", list(sources.values()))
    write_records(folder() / "differences.csv", differences, Difference)
    if len(sets) == len(archived_sets()) or not (folder() / "problems.csv").is_file():
        problems = [
            [paths.shown(p.path), p.line or "", p.found] for s in sets.values() for p in s.problems
        ]
        write_atomic(folder() / "problems.csv", csv_text(["file", "line", "problem"], problems))
    return lines


FIELDS = [f.name for f in fields(Line)]
