"""What the items of a catalog say of each other: every name must exist, every option must be one
that its kind takes.
"""

import fnmatch
import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, get_args

from mtpeft.catalog.index import Catalog
from mtpeft.catalog.schema import (
    CLAIM_KINDS,
    CLAIM_WORDS,
    FIGURE_CLAIMS,
    FIGURE_KINDS,
    KINDS,
    OPTION_NUMBERS,
    OPTION_REFERENCES,
    OPTION_WORDS,
    TABLE_KINDS,
    Claim,
    Comparison,
    Figure,
    Margin,
    Numbers,
    Proof,
    Study,
    Table,
    Tool,
)
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.core.names import safe_path
from mtpeft.core.paths import STUDIES
from mtpeft.core.records import VERDICTS

_COMMIT = re.compile(r"[0-9a-f]{40}")

_COLUMNS = ("run", "row", "instance_id", "status")
"""Columns of a score table that are no metric."""

_SHIPPED = {"tables": TABLE_KINDS, "figures": FIGURE_KINDS, "claims": CLAIM_KINDS}


def problems(known: Catalog) -> Iterator[BadInput]:
    """Every name that refers to nothing, and every option that its kind does not take."""
    evaluations, metrics = known.evaluations(), known.metrics()
    languages = {e.language for e in evaluations.values() if e.language}

    def check(
        kind: str, item: str, what: str, name: str, among: Collection[str]
    ) -> Iterator[BadInput]:
        if name not in among:
            unknown = UnknownName(what, name, among)
            yield known.bad(kind, item, name, unknown.found, unknown.expected)

    for study in known.studies.values():
        yield from _of_study(study, known, check)
    for backbone in known.backbones.values():
        if backbone.classifier:
            task = backbone.classifier.task
            yield from check("backbones", backbone.id, "task", task, known.tasks)
        if backbone.revision and not _COMMIT.fullmatch(backbone.revision):
            yield known.bad(
                "backbones",
                backbone.id,
                backbone.revision,
                f"revision {backbone.revision!r}, which may name other weights tomorrow",
                "a commit of 40 hexadecimal digits, or nothing (the first download is then pinned)",
            )
    for run in known.runs.values():
        yield from check("runs", run.id, "backbone", run.backbone, known.backbones)
        yield from check("runs", run.id, "method", run.method, known.methods)
        for task in run.tasks:
            yield from check("runs", run.id, "task", task, known.tasks)
    yield from _alike(known)
    yield from _taken(known)
    for tool in known.tools.values():
        yield from _of_numbers_of(tool, known)
        for name in tool.languages:
            yield from check("tools", tool.id, "language of an evaluation set", name, languages)
        own = {m.id for m in tool.metrics}
        for name in [*tool.unparseable_when, *tool.unparseable_metrics]:
            yield from check("tools", tool.id, "metric of this tool", name, own)
        for name in tool.archive.values():
            yield from check("tools", tool.id, "evaluation set", name, evaluations)
    for comparison in known.comparisons.values():
        yield from _of_comparison(comparison, known, check, evaluations, metrics)
    for table in known.tables.values():
        for name in table.comparisons:
            yield from check("tables", table.id, "comparison", name, known.comparisons)
    for claim in known.claims.values():
        if claim.table:
            yield from check("claims", claim.id, "table", claim.table, known.tables)
        if claim.expected and claim.kind in CLAIM_KINDS:
            words = (*VERDICTS, *(CLAIM_WORDS if claim.kind in FIGURE_CLAIMS else ()))
            yield from check("claims", claim.id, "verdict that is expected", claim.expected, words)
    for kind in _SHIPPED:
        for item in getattr(known, kind).values():
            yield from _of_options(kind, item, known)


def _alike(known: Catalog) -> Iterator[BadInput]:
    """Ids of one kind that differ in case alone: some file systems give both one file."""
    for kind in KINDS:
        first: dict[str, str] = {}
        for name in getattr(known, kind):
            other = first.setdefault(name.casefold(), name)
            if other != name:
                found = f"id {name!r} differs from {other!r} in case alone"
                yield known.bad(kind, name, name, found, "an id of its own on every file system")


def _taken(known: Catalog) -> Iterator[BadInput]:
    """Ids of evaluation sets and metrics that cannot be one, or that another item has: they name
    files and columns, and are looked up without the task or tool that they belong to.

    Two tools that stand in one folder may compute one metric; it is then the same word for word.
    """
    owners: dict[tuple[str, str], tuple[str, Any]] = {}
    for kind, what, part in (
        ("tasks", "evaluation set", "evaluations"),
        ("tools", "metric", "metrics"),
    ):
        for item in getattr(known, kind).values():
            for one in getattr(item, part):
                try:
                    safe_path(one.id, f"{what} id")
                    if what == "metric" and one.id in _COLUMNS:
                        raise MtpeftError(
                            f"metric id {one.id!r} is a column of every score table", "another word"
                        )
                except MtpeftError as fault:
                    yield known.bad(kind, item.id, one.id, fault.found, fault.expected)
                    continue
                owner, other = owners.setdefault((what, one.id), (item.id, one))
                folders = {known.file_of(kind, name).parent for name in (owner, item.id)}
                if owner == item.id or (what == "metric" and other == one and len(folders) == 1):
                    continue
                yield known.bad(
                    kind,
                    item.id,
                    one.id,
                    f"{what} id {one.id!r} is taken by {owner} ({known.file_of(kind, owner)})",
                    "an id of its own",
                )


def _of_numbers_of(tool: Tool, known: Catalog) -> Iterator[BadInput]:
    """Limits and margins of a tool's metrics that no value can keep."""
    for metric in tool.metrics:
        if metric.low is not None and metric.high is not None and metric.low >= metric.high:
            found = f"low {metric.low:g} and high {metric.high:g} of {metric.id}"
            yield known.bad("tools", tool.id, metric.id, found, "low below high")
    margins: list[tuple[str, Margin | None]] = [(tool.id, tool.margin)]
    for name, margin in [*margins, *((m.id, m.margin) for m in tool.metrics)]:
        if margin is not None and (margin.size is None) == (margin.share is None):
            found = f"a margin of {name} with {'neither' if margin.size is None else 'both'}"
            yield known.bad("tools", tool.id, name, found, "either size or share")


def _of_study(study: Study, known: Catalog, check: Any) -> Iterator[BadInput]:
    if study.commit and not _COMMIT.fullmatch(study.commit):
        yield known.bad(
            "studies",
            study.id,
            study.commit,
            f"commit {study.commit!r}",
            "40 hexadecimal digits",
        )
    for choice in study.choices:
        for name in choice.tools:
            yield from check("studies", study.id, "tool", name, known.tools)
        for name in choice.evaluations:
            yield from check("studies", study.id, "evaluation set", name, known.evaluations())
    for corpus in study.corpora:
        for name, evaluation in corpus.evaluations.items():
            yield from check("studies", study.id, "task", name, known.tasks)
            yield from check("studies", study.id, "evaluation set", evaluation, known.evaluations())
    if study.numbers is not None:
        yield from _of_figures(study, study.numbers, known, check)
    for kind in ("tasks", "tools", "methods", "backbones"):
        for name in getattr(study, kind):
            yield from check(
                "studies", study.id, kind.removesuffix("s"), name, getattr(known, kind)
            )
    for absent in study.absent:
        yield from check("studies", study.id, "tool", absent.tool, known.tools)
        yield from check(
            "studies", study.id, "evaluation set", absent.evaluation, known.evaluations()
        )
        for run in absent.runs:
            yield from check("studies", study.id, "run", run, known.runs)
    asked = {question.id for question in study.questions}
    for comparison in known.comparisons.values():
        if comparison.study == study.id and asked:
            yield from check("comparisons", comparison.id, "question", comparison.question, asked)
    if study.proof is not None:
        yield from _of_proof(study, study.proof, known, check)
    shipped_first = sorted(
        known.studies.values(), key=lambda s: not s.folder.is_relative_to(STUDIES)
    )
    before = shipped_first[: shipped_first.index(study)]
    taken = {corpus.id: other.id for other in before for corpus in other.corpora}
    for corpus in study.corpora:
        if corpus.id in taken:
            found = f"corpus {corpus.id!r} is taken by {taken[corpus.id]}"
            yield known.bad("studies", study.id, corpus.id, found, "a name of its own")


def _of_figures(study: Study, numbers: Numbers, known: Catalog, check: Any) -> Iterator[BadInput]:
    for measured in numbers.tasks:
        yield from check("studies", study.id, "task", measured.id, known.tasks)
    against = numbers.prompted_against
    for name in (
        numbers.full,
        *numbers.shared,
        *numbers.pairs,
        *([against.method] if against else []),
    ):
        yield from check("studies", study.id, "method of these figures", name, numbers.methods)
    if against:
        yield from check(
            "studies", study.id, "backbone of these figures", against.backbone, numbers.backbones
        )


def _of_proof(study: Study, proof: Proof, known: Catalog, check: Any) -> Iterator[BadInput]:
    yield from check("studies", study.id, "study", proof.questions_of, known.studies)
    asked = [claim.id for claim in known.claims.values() if claim.study == proof.questions_of]
    for name in proof.claims:
        yield from check("studies", study.id, f"claim of {proof.questions_of}", name, asked)
    corpora = {c.id for s in known.studies.values() for c in s.corpora}
    own = [run.id for run in known.runs.values() if run.study == study.id]
    for form in (proof.quick, proof.full):
        yield from check("studies", study.id, "corpus", form.corpus, corpora)
        for name in form.tools:
            yield from check("studies", study.id, "tool", name, known.tools)
        for name in form.tested:
            yield from check("studies", study.id, "evaluation set", name, known.evaluations())
        for pattern in form.runs:
            if not fnmatch.filter(own, pattern):
                yield known.bad(
                    "studies",
                    study.id,
                    pattern,
                    f"{pattern!r}, which is none of the study's runs",
                    "an id of a run in its runs/, or a pattern of some",
                    "mtpeft list runs",
                )

    asked = [question.id for question in study.questions]
    for pair in proof.contrasts:
        yield from check("studies", study.id, "question", pair.question, asked)
        for name in (pair.a, pair.b):
            yield from check("studies", study.id, "run of this study", name, own)


def _of_comparison(
    comparison: Comparison,
    known: Catalog,
    check: Any,
    evaluations: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> Iterator[BadInput]:
    for metric in comparison.metrics:
        yield from check("comparisons", comparison.id, "metric", metric, metrics)
    yield from check("comparisons", comparison.id, "evaluation set", comparison.task, evaluations)
    if (
        comparison.cluster
        and not (known.studies[comparison.study].folder / comparison.cluster).is_file()
    ):
        yield known.bad(
            "comparisons",
            comparison.id,
            comparison.cluster,
            f"cluster {comparison.cluster!r}, no such file in the study's folder",
            "a CSV with columns instance_id and cluster",
        )
    for block in comparison.blocks:
        if block.a == block.b:
            yield known.bad(
                "comparisons",
                comparison.id,
                block.id,
                f"block {block.id!r} compares {block.a} with itself",
                "two runs",
            )
        if bool(block.b) == (comparison.test == "summary"):
            yield known.bad(
                "comparisons",
                comparison.id,
                block.id,
                f"block {block.id!r} {'with' if block.b else 'without'} side B",
                "side A alone for a summary, both sides for a test",
            )
        for run in filter(None, (block.a, block.b)):
            yield from check("comparisons", comparison.id, "run", run, known.runs)
        if block.task:
            yield from check(
                "comparisons", comparison.id, "evaluation set", block.task, evaluations
            )
    ids = [block.id for block in comparison.blocks]
    for name in {i for i in ids if ids.count(i) > 1}:
        yield known.bad(
            "comparisons", comparison.id, name, f"block {name!r} again", "each block once"
        )


def _of_options(kind: str, item: Table | Figure | Claim, known: Catalog) -> Iterator[BadInput]:
    if item.kind not in _SHIPPED[kind]:
        if "." not in item.kind:
            unknown = UnknownName(f"kind of a {kind.rstrip('s')}", item.kind, _SHIPPED[kind])
            yield known.bad(
                kind,
                item.id,
                item.kind,
                unknown.found,
                f"{unknown.expected} (or the dotted name of a module)",
            )
        return
    takes = _SHIPPED[kind][item.kind].split()
    names = {name.rstrip("?") for name in takes}
    for name in item.options:
        if name not in names:
            unknown = UnknownName(f"option of {item.kind}", name, names)
            yield known.bad(kind, item.id, name, unknown.found, unknown.expected)
    for name in takes:
        if not name.endswith("?") and name not in item.options:
            yield known.bad(
                kind,
                item.id,
                item.id,
                f"{item.id} without option {name}",
                f"the options of {item.kind}: {', '.join(takes)}",
            )
    yield from _of_values(kind, item, item.options, known)


def _of_values(
    kind: str, item: Table | Figure | Claim, options: Mapping[str, Any], known: Catalog
) -> Iterator[BadInput]:
    """Names and words in options, in whatever depth they stand."""
    for option, value in options.items():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                yield from _of_values(kind, item, part, known)
            elif option in OPTION_NUMBERS and not _is_number(part):
                yield known.bad(kind, item.id, str(part), f"{option} is {part!r}", "a number")
            elif (among := _among(option, options, known)) is not None and str(part) not in among:
                unknown = UnknownName(option.rstrip("s"), str(part), among)
                yield known.bad(kind, item.id, str(part), unknown.found, unknown.expected)


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def _among(option: str, options: Mapping[str, Any], known: Catalog) -> Collection[str] | None:
    """What the value of an option may be; None where anything goes."""
    if option in OPTION_WORDS:
        return get_args(OPTION_WORDS[option])
    if option not in OPTION_REFERENCES:
        return None
    kind = OPTION_REFERENCES[option]
    if kind == "metrics":
        return known.metrics()
    if kind == "evaluations":
        return known.evaluations()
    if kind == "questions":
        return {c.question for c in known.comparisons.values()}
    if kind == "blocks":
        named = (
            [options["comparison"]] if "comparison" in options else options.get("comparisons", [])
        )
        return {
            b.id
            for name in named
            if name in known.comparisons
            for b in known.comparisons[name].blocks
        }
    names: Collection[str] = getattr(known, kind)
    return names
