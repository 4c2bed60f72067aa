"""Running scorers: in batches, on several processes, cached by content, resumable.

What a scorer says about an item depends on the item's text, its instance and its evaluation set,
and on the tool's version; the key of the cache is the hash of exactly these. Results are appended
to one file per tool as batches end, so that a killed run loses the batches in flight and nothing
else. Equal outputs of two runs are scored once.

A scorer may carry attributes that tell the engine how to run it (`Scorer` works without them):

- batch: items handed over at once (default 1, with a time limit for each item).
- workers: processes that may run at the same time (default 1).
- seconds: time limit for one batch (default 120).
"""

import ast
import hashlib
import importlib
import inspect
import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import distributions
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd

from mtpeft.catalog import Evaluation, Tool, catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.files import append_lines
from mtpeft.core.locks import held
from mtpeft.core.processes import die_with_parent
from mtpeft.core.progress import Progress
from mtpeft.core.provenance import sha256
from mtpeft.core.records import SCORE_KEYS, SEVERITY, Score, row_status
from mtpeft.core.text import said
from mtpeft.scoring.interface import Item, Scorer
from mtpeft.scoring.wrapping import holds_nothing

_SCORING = Path(__file__).resolve().parent
# Failed attempts in one batch, none of them successful in between, after which a sound text decides
# whether the tool is broken or the outputs are bad.
_FAILURES = 40
_SOUND = {
    "python": "x = 1\n",
    "java": "int one() { return 1; }\n",
    "csharp": "int One() { return 1; }\n",
}


@dataclass
class _Search:
    """How the search for the outputs on which a tool fails has gone in one batch."""

    failures: int = 0
    works: bool = False
    broken: bool = False

    def failed(self, scorer: Scorer, item: Item) -> None:
        """Count a failed attempt; after many in a row, see whether the tool answers at all."""
        self.failures += 1
        if self.failures == _FAILURES and not self.works:
            self.works = _answers(scorer, item)
            self.broken = not self.works


@dataclass(frozen=True)
class Outcome:
    """What one tool says about one item.

    Attributes:
        cells: Value (or None), status and message lines of each metric.
    """

    cells: dict[str, tuple[float | None, str, str]]

    @property
    def status(self) -> str:
        """The status of the row: the most severe of its metrics'."""
        return min((s for _, s, _ in self.cells.values()), key=SEVERITY.index)

    @property
    def detail(self) -> str:
        """All message lines of the row, in the metrics' order."""
        return "\n".join(d for _, _, d in self.cells.values() if d)


def load(tool: str) -> Scorer:
    """The scorer of a catalog tool.

    Raises:
        UnknownName: The catalog has no such tool.
        Unavailable: Its module is not installed.
    """
    entry = catalog().get("tools", tool)
    if not entry.reads:
        raise Unavailable(
            f"{entry.title} ({tool}) was measured by a study; nothing here measures it again",
            "a tool that says what it reads",
            "name other tools",
        )
    try:
        module = importlib.import_module(entry.module)
    except ImportError as error:
        raise Unavailable(
            f"{entry.title} cannot be loaded: {error}",
            "the packages of the group `score`",
            "make .venv/.score",
        ) from error
    if not hasattr(module, "scorer"):
        raise Unavailable(
            f"{entry.title} does not score a file of predictions",
            "a tool that reads outputs one by one",
            "see `about` in its entry of the catalog, or name other tools",
        )
    scorer: Scorer = module.scorer(**entry.options)
    return scorer


def applies(tool: Tool, scorer: Scorer | None, evaluation: Evaluation) -> bool:
    """Whether a tool reads what the answers of an evaluation set are, in its language."""
    output = catalog().output_of(evaluation.id)
    accepts = getattr(scorer, "accepts", None)
    return (
        output in tool.reads
        and (not tool.languages or evaluation.language in tool.languages)
        and (accepts is None or bool(accepts(evaluation)))
    )


def key(item: Item) -> str:
    """Hash of everything about an item that a scorer may look at, except its run."""
    parts = (
        item.task,
        item.instance_id,
        item.language,
        item.output,
        item.reference,
        item.source,
        item.unit,
        repr(item.frame) if item.frame else "",
        *((*item.tests, item.prompt, item.asked) if item.tests else ()),
    )
    text = "\0".join(f"{len(p)}:{p}" for p in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]


class Cache:
    """Outcomes of one tool in one version, on disk: one JSON line per item key, only ever appended
    to.

    A line that cannot be read (the last one of a killed run) counts as absent.

    Args:
        tool: The tool.
        version: Everything that decides what the tool says (see `identity`).
        folder: Of all caches.
    """

    def __init__(self, tool: str, version: str, folder: Path | None = None) -> None:
        name = hashlib.sha256(version.encode()).hexdigest()[:16]
        self.path = (folder or paths.CACHE / "scores") / tool / f"{name}.jsonl"
        self._known: dict[str, Outcome] = {}
        if self.path.is_file():
            for line in self.path.read_bytes().split(b"\n"):
                self._read(line)

    def _read(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            cells = {m: (c[0], c[1], c[2]) for m, c in record["cells"].items()}
            self._known[record["key"]] = Outcome(cells)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
            return

    def get(self, name: str) -> Outcome | None:
        """The outcome for an item key, or None."""
        return self._known.get(name)

    def know(self, outcomes: dict[str, Outcome]) -> None:
        """Take up outcomes for this process only."""
        self._known.update(outcomes)

    def put(self, outcomes: dict[str, Outcome]) -> None:
        """Add outcomes and flush them to the disk before returning. What is no property of the item
        is not kept.
        """
        self._known.update(outcomes)
        lines = [
            json.dumps({"key": k, "cells": o.cells}, ensure_ascii=True, separators=(",", ":"))
            for k, o in sorted(outcomes.items())
            if o.status not in ("infrastructure", "cannot run here")
        ]
        with held(self.path):
            append_lines(self.path, lines)


@dataclass(frozen=True)
class _Tuned:
    """A scorer with other settings of how to run it."""

    inner: Scorer
    batch: int
    seconds: float

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def score(
    tool: str,
    items: Sequence[Item],
    cache: Path | None = None,
    workers: int | None = None,
    scorer: Scorer | None = None,
    batch: int = 0,
    seconds: float = 120,
) -> list[Outcome]:
    """Score items with one tool.

    A tool's failure on an item is the status `infrastructure` of that item; such outcomes are not
    cached, so that the next run tries again.

    Args:
        tool: The tool.
        items: What is scored.
        cache: Folder of the cache.
        workers: Upper limit of processes (default: the machine's CPUs, at most what the scorer
            allows).
        scorer: In place of the catalog's (it is then run in this process).
        batch: Run in this process in batches of this size, for a scorer that spreads its own work
            over processes.
        seconds: Time limit of such a batch.

    Returns:
        The outcomes in the order of the items.

    Raises:
        Unavailable: The tool is not on this machine.
    """
    given = scorer is not None or batch > 0
    scorer = scorer or load(tool)
    store = Cache(tool, identity(scorer), cache)
    version = scorer.version()
    if batch:
        scorer = _Tuned(scorer, batch, seconds)
    keys = [key(item) for item in items]
    if not getattr(scorer, "measures_blank", False):
        # Nothing was answered, and so nothing is scored: many a tool finds no fault in an empty file.
        blank = {
            k for k, i in zip(keys, items, strict=True) if not (i.archived or i.output.strip())
        }
        store.know(dict.fromkeys(blank, failure(scorer.metrics, "an empty output", "empty")))
    if getattr(scorer, "finds_faults", False):
        hollow = {
            k for k, i in zip(keys, items, strict=True) if not i.archived and holds_nothing(i)
        }
        nothing = failure(scorer.metrics, "an output without code", "empty")
        store.know(dict.fromkeys(hollow, nothing))
    missing = {k: item for k, item in zip(keys, items, strict=True) if store.get(k) is None}
    if missing:
        todo = list(missing.items())
        size = getattr(scorer, "batch", 1)
        # Single items still travel in parcels, or the pipe between the processes would be the
        # bottleneck.
        share = -(-len(todo) // min(workers or os.cpu_count() or 1, getattr(scorer, "workers", 1)))
        parcel = min(size, share) if size > 1 else 16
        parcels = [todo[i : i + parcel] for i in range(0, len(todo), parcel)]
        limit = min(workers or os.cpu_count() or 1, getattr(scorer, "workers", 1), len(parcels))
        with Progress(f"{tool} {version}", len(todo)) as progress:
            for done in _run(scorer if given else tool, parcels, limit):
                store.put(done)
                progress.step(tool, len(done))
    outcomes = [store.get(k) for k in keys]
    return [o for o in outcomes if o is not None]


def identity(scorer: Scorer) -> str:
    """Everything about a tool that decides what it says: its version (of a model that of its
    weights), the scorer's sources and its settings.

    For a tool that looks at what is installed (`reads_environment`), the interpreter and every
    distribution in it belong to that, too: whether an import can be resolved decides its messages.

    Raises:
        Unavailable: The tool is not on this machine.
    """
    around = environment_digest() if getattr(scorer, "reads_environment", False) else ""
    settings = repr(sorted(scorer.metrics))
    return "\n".join(filter(None, [scorer.version(), source_digest(scorer), settings, around]))


@cache
def environment_digest() -> str:
    """SHA-256 over the interpreter's version and the distributions that it can import."""
    found = sorted({f"{d.name}=={d.version}" for d in distributions()})
    return hashlib.sha256("\n".join([sys.version, *found]).encode()).hexdigest()


def source_digest(scorer: Scorer) -> str:
    """SHA-256 over the module that holds the scorer and the modules of scoring that it imports,
    directly or not.
    """
    first = inspect.getsourcefile(type(scorer))
    waiting, seen = [Path(first).resolve()] if first else [], set()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += _imported(path)
    return hashlib.sha256(
        "".join(f"{path.name} {sha256(path)}\n" for path in sorted(seen)).encode()
    ).hexdigest()


def _imported(path: Path) -> list[Path]:
    """The modules inside `scoring` that a module imports at its top level."""
    found = []
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            place = _SCORING.parents[1].joinpath(*node.module.split("."))
            if place.is_relative_to(_SCORING):
                names = [
                    place.with_suffix(".py"),
                    place / "__init__.py",
                    *(place / f"{alias.name}.py" for alias in node.names),
                ]
                found += [name for name in names if name.is_file()]
    return found


def _run(
    scorer: Scorer | str, parcels: list[list[tuple[str, Item]]], workers: int
) -> Iterator[dict[str, Outcome]]:
    if not isinstance(scorer, str):
        for parcel in parcels:
            yield _parcel(scorer, parcel)
        return
    yield from _pool(scorer, parcels, workers)


def _pool(
    tool: str, parcels: list[list[tuple[str, Item]]], workers: int
) -> Iterator[dict[str, Outcome]]:
    """Spread parcels over processes. Where a process dies, its parcels are tried again one item at
    a time.
    """
    suspects: list[tuple[str, Item]] = []
    queue = list(reversed(parcels))
    while queue:
        pool = ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_start, initargs=(tool,)
        )
        flying: dict[Future[dict[str, Outcome]], list[tuple[str, Item]]] = {}
        try:
            while queue or flying:
                while queue and len(flying) < workers + 1:
                    parcel = queue.pop()
                    flying[pool.submit(_work, parcel)] = parcel
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    del flying[future]
                    yield result
        except BrokenProcessPool:
            suspects += [pair for parcel in flying.values() for pair in parcel]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    yield from _one_by_one(tool, suspects)


def _one_by_one(tool: str, pairs: list[tuple[str, Item]]) -> Iterator[dict[str, Outcome]]:
    """Score items singly in one process, so that the one on which it dies is known; go on in a new
    process.
    """
    queue = list(reversed(pairs))
    while queue:
        with ProcessPoolExecutor(
            1, mp_context=get_context("spawn"), initializer=_start, initargs=(tool,)
        ) as pool:
            while queue:
                pair = queue.pop()
                try:
                    yield pool.submit(_work, [pair]).result()
                except BrokenProcessPool:
                    yield {
                        pair[0]: failure(
                            load(tool).metrics, "the tool's process died on this output"
                        )
                    }
                    break


_scorer: Scorer | None = None


def _start(tool: str) -> None:
    global _scorer
    die_with_parent()
    # Ctrl-C is the parent's business: it keeps what is complete and stops the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _scorer = load(tool)


def _work(parcel: list[tuple[str, Item]]) -> dict[str, Outcome]:
    assert _scorer is not None
    return _parcel(_scorer, parcel)


def _parcel(scorer: Scorer, parcel: list[tuple[str, Item]]) -> dict[str, Outcome]:
    """Score one parcel: as a whole where the scorer takes batches, else item by item, each with a
    time limit.
    """
    size = getattr(scorer, "batch", 1)
    result: dict[str, Outcome] = {}
    for i in range(0, len(parcel), size):
        part = parcel[i : i + size]
        result.update(_attempt(scorer, part, _Search()))
    return result


def _attempt(scorer: Scorer, part: list[tuple[str, Item]], search: _Search) -> dict[str, Outcome]:
    """Score one batch; where it fails, halve it, so that only the items that make the tool fail are
    marked.

    A tool that has failed again and again, and fails on a sound text, too, is broken as such; its
    items are then marked without trying each of them.
    """
    try:
        with time_limit(getattr(scorer, "seconds", 120)):
            scores = list(scorer.score([item for _, item in part]))
        found = _collect(scorer, part, scores)
        search.works = True
        return found
    except Unavailable:
        raise
    except (
        Exception
    ) as error:  # whatever a tool raises on one output must not cost the others; it is recorded
        search.failed(scorer, part[0][1])
        if len(part) == 1 or search.broken:
            reason = said(error)[:300]
            names = f"{part[0][1].task}/{part[0][1].instance_id}" + (
                f" and {len(part) - 1} more" if len(part) > 1 else ""
            )
            print(f"mtpeft: {scorer.tool} failed on {names}: {reason}", file=sys.stderr)
            return {name: failure(scorer.metrics, reason) for name, _ in part}
    middle = len(part) // 2
    return _attempt(scorer, part[:middle], search) | _attempt(scorer, part[middle:], search)


def _answers(scorer: Scorer, item: Item) -> bool:
    """Whether a tool says anything about a sound text in the place of an item."""
    text = _SOUND.get(item.language, "One.")
    sound = replace(item, instance_id="sound", output=text, reference=text, frame=None, unit="")
    try:
        with time_limit(getattr(scorer, "seconds", 120)):
            _collect(scorer, [("", sound)], list(scorer.score([sound])))
    except Unavailable:
        raise
    except Exception:
        return False
    return True


def _collect(
    scorer: Scorer, part: list[tuple[str, Item]], scores: Iterable[Score]
) -> dict[str, Outcome]:
    cells: dict[tuple[str, str], dict[str, tuple[float | None, str, str]]] = {}
    for s in scores:
        if (s.value is None) == (s.status == "ok"):
            raise MtpeftError(
                f"{scorer.tool}/{s.metric}: value {s.value} with status {s.status}",
                "a value exactly when ok",
            )
        cells.setdefault((s.run, s.instance_id), {})[s.metric] = (s.value, s.status, s.detail)
    result = {}
    for name, item in part:
        mine = cells.get((item.run, item.instance_id), {})
        if set(mine) != set(scorer.metrics):
            raise MtpeftError(
                f"{scorer.tool} gave {sorted(mine)} for {item.instance_id}",
                f"{sorted(scorer.metrics)}",
            )
        result[name] = Outcome({m: mine[m] for m in scorer.metrics})
    return result


def failure(metrics: Sequence[str], reason: str, status: str = "infrastructure") -> Outcome:
    """An outcome without values.

    Args:
        metrics: The metrics.
        reason: Why there are none.
        status: The same as a status.
    """
    return Outcome({m: (None, status, reason if i == 0 else "") for i, m in enumerate(metrics)})


class _Stop(BaseException):
    """Not an Exception, so that an analyser that catches all of these cannot swallow the end of its
    time.
    """


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit the time of a block; without effect outside a process's main thread, where no signal
    arrives.

    Raises:
        TimeoutError: The block took longer.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Stop

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _Stop:
        raise TimeoutError(f"no result after {seconds:g} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def table(
    items: Sequence[Item],
    outcomes: Sequence[Outcome],
    metrics: Sequence[str],
    positions: Mapping[tuple[str, str, str], int] | None = None,
) -> pd.DataFrame:
    """The wide score table of items of one evaluation set.

    Args:
        items: The outputs.
        outcomes: What the tool says about each.
        metrics: The columns.
        positions: The `row` of (run, task, instance); default: counted from 1 in each run, in the
            items' order.
    """
    rows: list[list[object]] = []
    counts: Counter[str] = Counter()
    for item, outcome in zip(items, outcomes, strict=True):
        counts[item.run] += 1
        rows.append(
            [
                item.run,
                positions[item.run, item.task, item.instance_id]
                if positions is not None
                else counts[item.run],
                item.instance_id,
                row_status({m: outcome.cells[m][1] for m in metrics}),
                *(outcome.cells[m][0] for m in metrics),
            ]
        )
    return pd.DataFrame(rows, columns=[*SCORE_KEYS, *metrics])
