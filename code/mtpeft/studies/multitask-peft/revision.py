"""Training logs of the revision: one log is one run, whose every epoch prints one table per split.

A log prints its settings once, then per epoch a training summary, a validation table (`Eval — Epoch
k`), and, where the mean validation score is the best so far, a test table (`Test — Epoch k`) after
saving the weights. The weights of the last epoch are tested at the end (`Final Test — Epoch N`,
where N is the number of epochs asked for, not the one reached).
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mtpeft.core.errors import BadInput

from .reading import TASKS, Block, Printed, number, numbered

_PREFIX = "INFO:name:"
_SETTING = re.compile(r"  (Model|PEFT|Loss weighting|Epochs|Batch size) *: ([^ |]+)")
_TABLE = re.compile(r"(Eval|Test|Final Test) — Epoch (\d+)$")
_COLUMNS = ("acc", "f1", "recall", "precision", "loss", "mrr")
_ROW = re.compile(rf"  ({'|'.join(TASKS)}) +(\S+) +(\S+) +(\S+) +(\S+) +(\S+) +(\S+)$")
_SIZE = re.compile(rf"    ({'|'.join(TASKS)}) +(\d+) examples$")
_TESTED = re.compile(rf"  Testing ({'|'.join(TASKS)}) \((\d+) examples\)")
_COST = re.compile(r"  epoch_time=([\d.]+)s  peak_gpu_memory=([\d.]+)GB")
_SAMPLER = re.compile(r"Using TemperatureSampler +T=([\d.]+)")
_STOP = re.compile(r"Early stopping triggered at epoch (\d+)")
_PARAMETERS = (
    re.compile(r"trainable params: ([\d,]+) \|\| all params: ([\d,]+)"),
    re.compile(r"\(OpenDelta\)basemodel.*Trainable Ratio: (\d+)/(\d+)="),
    re.compile(r"mLoRA encoder params — trainable: (\d+) / (\d+)"),
)


@dataclass
class RevisionLog:
    """What one log of the revision says.

    Attributes:
        path: Where the log lies.
        settings: The printed settings by name.
        train_sizes: Examples of each task's training split.
        test_sizes: Examples of each task's test split.
        temperature: Of the sampler; None where batches are drawn in sequence.
        parameters: (trainable, all, line) as printed.
        valid: The validation tables, one an epoch.
        tests: The test tables in file order (test at every best validation so far).
        final: The test of the last weights.
        seconds: Of each epoch.
        peaks: Peak memory of each epoch in GB, as printed.
        summaries: Training summaries, which is to say epochs that were run.
        stopped: The epoch at which training stopped early.
        clients: How often each HTTP client logged, which tells the software.
    """

    path: Path
    settings: dict[str, str] = field(default_factory=dict)
    train_sizes: dict[str, Printed] = field(default_factory=dict)
    test_sizes: dict[str, Printed] = field(default_factory=dict)
    temperature: float | None = None
    parameters: tuple[float, float, int] | None = None
    valid: list[Block] = field(default_factory=list)
    tests: list[Block] = field(default_factory=list)
    final: Block | None = None
    seconds: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    summaries: int = 0
    stopped: int | None = None
    clients: Counter[str] = field(default_factory=Counter)

    @property
    def tasks(self) -> list[str]:
        """Catalog ids of the run's tasks, in the order of the log."""
        return list(self.train_sizes)

    def valid_at(self, epoch: int) -> Block:
        """The validation table of one epoch.

        Raises:
            BadInput: The log has none.
        """
        found = [b for b in self.valid if b.epoch == epoch]
        if len(found) != 1:
            raise BadInput(
                self.path,
                f"{len(found)} validation tables of epoch {epoch}",
                "one, because its test was printed",
                "restore the upstream checkout",
            )
        return found[0]


def read_revision_log(path: Path, content: bytes) -> RevisionLog:
    """Read one training log of the revision.

    Args:
        path: Where the log lies, for messages.
        content: Its uncompressed bytes.

    Raises:
        BadInput: A table's row is incomplete, or the log has no settings.
    """
    log = RevisionLog(path)
    table: Block | None = None
    for line, whole in numbered(content):
        if not whole.startswith(_PREFIX):
            _outside(log, line, whole)
            continue
        text = whole.removeprefix(_PREFIX)
        if found := _TABLE.match(text):
            table = _open(log, found[1], int(found[2]))
        elif (found := _ROW.match(text)) and table is not None:
            table.tasks[TASKS[found[1]]] = _row(path, line, found.groups()[1:])
        elif text.startswith("-----") or "combined =" in text:
            table = None
        elif found := _SETTING.match(text):
            log.settings[found[1]] = found[2]
        elif found := _SIZE.match(text):
            log.train_sizes[TASKS[found[1]]] = Printed({"examples": float(found[2])}, line)
        elif found := _TESTED.match(text):
            log.test_sizes.setdefault(TASKS[found[1]], Printed({"examples": float(found[2])}, line))
        elif found := _COST.match(text):
            log.seconds.append(number(found[1], path, line))
            log.peaks.append(number(found[2], path, line))
        elif text.endswith("Train Summary"):
            log.summaries += 1
        elif found := _SAMPLER.match(text):
            log.temperature = number(found[1], path, line)
        elif found := _STOP.match(text):
            log.stopped = int(found[1])
        else:
            _parameters(log, line, text)
    if missing := {"Model", "PEFT", "Epochs", "Batch size"} - log.settings.keys():
        raise BadInput(
            path,
            f"no line with {', '.join(sorted(missing))}",
            "a training log of the revision",
            "restore the upstream checkout",
        )
    return log


def _open(log: RevisionLog, kind: str, epoch: int) -> Block:
    if kind == "Eval":
        log.valid.append(Block(epoch, {}))
        return log.valid[-1]
    if kind == "Test":
        log.tests.append(Block(epoch, {}))
        return log.tests[-1]
    log.final = Block(log.summaries, {})
    return log.final


def _row(path: Path, line: int, cells: tuple[str, ...]) -> Printed:
    return Printed(
        {
            name: number(text, path, line)
            for name, text in zip(_COLUMNS, cells, strict=True)
            if text != "-"
        },
        line,
    )


def _outside(log: RevisionLog, line: int, text: str) -> None:
    """Lines of other loggers: parameter counts and the HTTP client."""
    for client in ("httpcore", "urllib3"):
        if text.startswith(f"DEBUG:{client}."):
            log.clients[client] += 1
            return
    _parameters(log, line, text)


def _parameters(log: RevisionLog, line: int, text: str) -> None:
    for pattern in _PARAMETERS:
        if found := pattern.search(text):
            log.parameters = (
                number(found[1], log.path, line),
                number(found[2], log.path, line),
                line,
            )
