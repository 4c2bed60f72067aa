"""How the tables of the study are read: scores and passes by prompt language, printed statistics."""

import csv
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from mtpeft.catalog import Catalog, Metric
from mtpeft.core.errors import BadInput
from mtpeft.core.imported import Tables
from mtpeft.core.records import PublishedCell
from mtpeft.core.upstream import Upstream, upstream_bytes

FOLDER = "data/4_quantitative_analysis"
UPSTREAM = (
    Upstream(
        "saimaafrin/multilingual-prompt-llm-code-generation",
        "dd79373d224c3ded82f2936d9d10886c64f5112c",
        (FOLDER,),
    ),
)
STUDY = "multilingual-prompts"
PROGRAMMING = ("java", "python")
MODELS = ("claude", "deepseek", "gpt")
LANGUAGES = ("english", "chinese", "hindi", "spanish", "italian")
AGAIN = "restore the upstream checkout"
_PRINTED = {"p.value": "p_adjusted", "signif": "significant", "magnitude": "magnitude"}
METRICS = {**_PRINTED, "d": "cliffs_delta"}
"""Column of a table of metrics → quantity."""
TESTS = {"passedEng": "rate_b", "passedLang": "rate_a", **_PRINTED, "g": "cohens_g"}
RATES = {"passed": "sum_a", "total": "n_pairs", "pass_rate": "rate_a"}
_TWO_DECIMALS = ("rate_a", "rate_b", "sum_a", "n_pairs")

Row = tuple[int, dict[str, str]]
"""Line, and fields by column."""


def read_tables(roots: dict[str, Path], known: Catalog) -> Tables:
    """Every score and every printed value of the study.

    Args:
        roots: Checkout of its repository.
        known: The catalog, which says whose column is whose.

    Raises:
        BadInput: What is missing, unknown, repeated or no number, with file and line.
    """
    folder = roots[UPSTREAM[0].repository] / FOLDER
    scores: dict[tuple[str, str], list[pd.DataFrame]] = {}
    printed: list[PublishedCell] = []
    files: dict[str, int] = {}
    for programming in PROGRAMMING:
        tools = [
            t for t in known.of("tools", STUDY) if not t.languages or programming in t.languages
        ]
        for model in MODELS:
            for name, has in (("report", False), ("test_report", True)):
                file = f"{programming}_{model}_{name}.csv"
                rows = _rows(folder / file, ["id", "iter"])
                counted = 0
                for tool in (t for t in tools if (t.id == "prompts-tests") == has):
                    frames = list(_scores(folder / file, rows, model, tool.metrics))
                    scores.setdefault((tool.id, f"prompted-{programming}"), []).extend(frames)
                    counted += sum(int(f[m.id].notna().sum()) for f in frames for m in tool.metrics)
                files[f"{FOLDER}/{file}"] = counted
            for ending, columns in (("metrics", METRICS), ("test", TESTS)):
                file = f"stats/{programming}-{model}-{ending}.csv"
                cells = list(_statistics(folder / file, file, programming, model, columns, known))
                files[f"{FOLDER}/{file}"] = len(cells)
                printed += cells
        file = f"{programming}_pass_rates.csv"
        cells = list(_rates(folder / file, file, programming))
        files[f"{FOLDER}/{file}"] = len(cells)
        printed += cells
    tables = {key: pd.concat(parts, ignore_index=True) for key, parts in scores.items()}
    return Tables(tables, printed, files)


def _rows(path: Path, columns: list[str]) -> list[Row]:
    """The rows of a CSV file with their lines; it must have the named columns."""
    try:
        lines = upstream_bytes(path).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(path, f"not UTF-8: {error}", "UTF-8 text", AGAIN) from error
    reader = csv.reader(lines)
    header = next(reader, [])
    if missing := [c for c in columns if c not in header]:
        raise BadInput(path, f"no column {', '.join(missing)}", ", ".join(columns), AGAIN, line=1)
    result = []
    for number, row in enumerate(reader, start=2):
        if len(row) != len(header):
            found = f"{len(row)} fields"
            raise BadInput(path, found, f"{len(header)} as in the header", AGAIN, line=number)
        result.append((number, dict(zip(header, row, strict=True))))
    return result


def _scores(
    path: Path, rows: list[Row], model: str, metrics: list[Metric]
) -> Iterator[pd.DataFrame]:
    """A table of scores for each language of the prompt; rows are numbered as the file has them."""
    ids = [f"{fields['id']}#{fields['iter']}" for _, fields in rows]
    if repeated := [name for name, times in Counter(ids).items() if times > 1]:
        raise BadInput(path, f"{min(repeated)} twice", "each id and iteration once", AGAIN)
    for language in LANGUAGES:
        frame = pd.DataFrame(
            {
                "run": f"{model}/{language}",
                "row": range(1, len(rows) + 1),
                "instance_id": ids,
                "status": "ok",
            }
        )
        for metric in metrics:
            column = f"{language}_{metric.column}"
            frame[metric.id] = [_number(path, line, column, fields) for line, fields in rows]
        missing = frame[[m.id for m in metrics]].isna().any(axis=1)
        frame.loc[missing, "status"] = "unparseable"  # why the tool gave no reading is not stated
        yield frame


def _number(path: Path, line: int, column: str, fields: dict[str, str]) -> float:
    """A field as a number; an empty one is a missing value."""
    text = fields.get(column)
    try:
        value = float(text or math.nan)
    except ValueError:
        value = math.inf
    if text is None or math.isinf(value):
        found = f"no column {column}" if text is None else f"{column} is {text!r}"
        raise BadInput(path, found, "a number or an empty field", AGAIN, line=line)
    return value


def _statistics(
    path: Path, file: str, programming: str, model: str, columns: dict[str, str], known: Catalog
) -> Iterator[PublishedCell]:
    """The cells of a printed table of tests, one row a language, or a language and a metric."""
    tests = columns is TESTS
    labels = {
        label: metric.id
        for tool in known.of("tools", STUDY)
        for metric in tool.metrics
        for label in metric.printed
    }
    comparison = f"prompts-{programming}-{model}-{'tests' if tests else 'metrics'}"
    for line, fields in _rows(path, ["language", *([] if tests else ["metric"]), *columns]):
        label = "test" if tests else fields["metric"]
        if label not in labels or fields["language"] not in LANGUAGES[1:]:
            found = f"{fields['language']}, {label}"
            raise BadInput(path, found, "a language and a metric of the study", AGAIN, line=line)
        for column, quantity in columns.items():
            yield _cell(
                comparison, fields["language"], labels[label], quantity, file, line, fields[column]
            )


def _rates(path: Path, file: str, programming: str) -> Iterator[PublishedCell]:
    """The cells of a table of pass rates, one row a model and a language."""
    for line, fields in _rows(path, ["model", "language", *RATES]):
        if fields["model"] not in MODELS or fields["language"] not in LANGUAGES:
            found = f"{fields['model']}, {fields['language']}"
            raise BadInput(path, found, "a model and a language of the study", AGAIN, line=line)
        comparison = f"prompts-{programming}-{fields['model']}-rates"
        for column, quantity in RATES.items():
            yield _cell(
                comparison, fields["language"], "prompts_pass", quantity, file, line, fields[column]
            )


def _cell(
    comparison: str, block: str, metric: str, quantity: str, file: str, line: int, printed: str
) -> PublishedCell:
    return PublishedCell(
        id=f"{comparison}:{block}:{metric}:{quantity}",
        source=file.rpartition("/")[2],
        line=line,
        variant="rounded-2" if quantity in _TWO_DECIMALS else "rounded-4",
        comparison=comparison,
        block=block,
        metric=metric,
        quantity=quantity,
        adjustment="bh",
        printed=printed,
    )
