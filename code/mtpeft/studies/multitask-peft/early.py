"""Training logs of the paper's own code and of the sibling single-task study, which print
evaluations as lists of values.

Two styles stand in one log: `name = value` lines after an evaluation, and dictionaries after a
test. An epoch is counted by its evaluation; a test belongs to the epoch evaluated last. A test
printed because an evaluation was the best so far is a *best* test; one that follows without a new
best is a test of the last weights.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from mtpeft.core.errors import BadInput

from .reading import TASKS, Block, Printed, number, numbered

_VALUE = re.compile(r"(?:INFO:name:)?  (eval_acc|f1_score|recall|precision|eval_mrr) = ([\d.]+)$")
_METRIC = {"eval_acc": "acc", "f1_score": "f1", "eval_mrr": "mrr"}
_TESTED = re.compile(r"(?:INFO:name:)?(\{.*'(?:test_acc|eval_mrr)': .*\})")
_ENTRY = re.compile(r"'(test_acc|test_f1_score|test_recall|test_precision|eval_mrr)': ([\d.]+)")
_TASK_LINE = re.compile(rf"INFO:name:  task = ({'|'.join(TASKS)})$")
_TASK_OF_TEST = re.compile(rf"'task': '({'|'.join(TASKS)})'")
_WEIGHTS = re.compile(r"tensor\(\[(.+?)\], .*SoftmaxBackward")
_RATIO = re.compile(r"Trainable Ratio: (\d+)/(\d+)=")
_MODEL = re.compile(r'"HEAD /([^/"]+/[^/"]+)/resolve/main/config\.json')
_COUNT = re.compile(r"INFO:name:  (Num Epochs|Total train batch size) += (\d+)")
_QUERIES = re.compile(r"INFO:name:  Num queries = (\d+)")
_SIZE = re.compile(r"INFO:name:  Num examples (?:for )?(\D*?) ?= (\d+)$")
_SITES = {
    "rank": re.compile(r"lora_A:\[(\d+),"),
    "bottleneck": re.compile(r"down_proj \(Linear\) weight:\[(\d+),"),
    "prefix": re.compile(r"input_tokens:\[(\d+)\]"),
}
_NAMED = {
    "vulnerability detection": "vulnerability-detection",
    "Vulnerabilty detection": "vulnerability-detection",
    "clone detection": "clone-detection",
    "Flakiness detection": "flaky-detection",
    "flakiness detection": "flaky-detection",
    "flaky tests": "flaky-detection",
    "code search": "code-search",
}
_NEW_BEST = ("Running Test", "Best validation", "Best F1", "Best eval mrr", "Best mrr")


@dataclass
class EarlyLog:
    """What one early log says.

    Attributes:
        path: Where the log lies.
        model: The backbone's name on the model hub.
        tasks: The run's tasks, in the order of the log.
        epochs: How many epochs were asked for.
        batch_size: Examples of a batch.
        parameters: (trainable, all, line) as printed.
        valid: The evaluations, in file order.
        best: The tests at new best evaluations, in file order.
        last: The tests of the last weights, in file order.
        weights: (line, the tasks' learnable weights) per epoch.
        sites: Rank, bottleneck or prefix length in the printed module tree.
        sizes: The line that printed a split's size, by (split, task, size).
    """

    path: Path
    model: str = ""
    tasks: list[str] = field(default_factory=list)
    epochs: int = 0
    batch_size: int = 0
    parameters: tuple[float, float, int] | None = None
    valid: list[Block] = field(default_factory=list)
    best: list[Block] = field(default_factory=list)
    last: list[Block] = field(default_factory=list)
    weights: list[tuple[int, list[float]]] = field(default_factory=list)
    sites: dict[str, int] = field(default_factory=dict)
    sizes: dict[tuple[str, str, int], int] = field(default_factory=dict)


def read_early_log(path: Path, content: bytes) -> EarlyLog:
    """Read one training log of the paper's own code or of the sibling study.

    Args:
        path: Where the log lies, for messages.
        content: Its uncompressed bytes.

    Raises:
        BadInput: Values stand where they cannot be told a task or an evaluation, or the log has no
        settings.
    """
    reader = _Reader(path)
    for line, text in numbered(content):
        reader.line(line, text)
    log = reader.log
    if not (log.tasks and log.valid and log.epochs and log.batch_size):
        raise BadInput(
            path,
            "no evaluation, or no line with the task, the epochs or the batch size",
            "a training log of the paper's code or of the sibling study",
            "restore the upstream checkout",
        )
    if len(log.tasks) > 1:
        log.tasks = list(log.valid[0].tasks)
    return log


class _Reader:
    """State while a log is read: the task that values belong to, and whether they are of validation
    or test.
    """

    def __init__(self, path: Path) -> None:
        self.log = EarlyLog(path)
        self.task = ""
        self.split = "train"
        self.announced = False

    def line(self, line: int, text: str) -> None:
        """Take up one line."""
        log = self.log
        if found := _VALUE.match(text):
            self._value(line, found[1], number(found[2], log.path, line))
        elif found := _TESTED.match(text):
            self._tested(line, found[1])
        elif found := _TASK_LINE.match(text):
            self.task = TASKS[found[1]]
            self._name(self.task)
        elif "Running evaluation" in text:
            self.split, self.announced = "valid", False
        elif any(mark in text for mark in _NEW_BEST):
            self.announced = True
            self.split = "test" if "Running Test" in text else self.split
        elif found := _SIZE.match(text):
            task = _NAMED.get(found[1].strip(), "")
            log.sizes.setdefault((self.split, task, int(found[2])), line)
            self._name(task)
        elif found := _QUERIES.match(text):
            log.sizes.setdefault((self.split, "code-search", int(found[1])), line)
            self._name("code-search")
        elif found := _WEIGHTS.match(text):
            weights = [number(w.strip(), log.path, line) for w in found[1].split(",")]
            log.weights.append((line, weights))
        elif found := _COUNT.match(text):
            log.epochs, log.batch_size = (
                (int(found[2]), log.batch_size)
                if found[1] == "Num Epochs"
                else (log.epochs, int(found[2]))
            )
        elif found := _RATIO.search(text):
            log.parameters = (float(found[1]), float(found[2]), line)
        elif found := _MODEL.search(text):
            log.model = log.model or found[1]
        else:
            for name, pattern in _SITES.items():
                if found := pattern.search(text):
                    log.sites.setdefault(name, int(found[1]))

    def _name(self, task: str) -> None:
        """A task that is evaluated belongs to the run."""
        if task and task not in self.log.tasks:
            self.log.tasks.append(task)

    def _only_task(self, line: int) -> str:
        if len(self.log.tasks) != 1:
            raise BadInput(
                self.log.path,
                "values of no named task",
                "a line that names the task before them",
                "restore the upstream checkout",
                line=line,
            )
        return self.log.tasks[0]

    def _value(self, line: int, name: str, value: float) -> None:
        """One `name = value` line after an evaluation, or after the test of a search."""
        log, metric = self.log, _METRIC.get(name, name)
        task = "code-search" if name == "eval_mrr" else self.task or self._only_task(line)
        if name == "eval_mrr" and self.split == "test":
            self._test(line, task, {metric: value})
        elif name in ("eval_acc", "eval_mrr"):
            epoch = sum(task in b.tasks for b in log.valid) + 1
            if not log.valid or log.valid[-1].epoch != epoch:
                log.valid.append(Block(epoch, {}))
            log.valid[-1].tasks[task] = Printed({metric: value}, line)
        elif log.valid and task in log.valid[-1].tasks:
            printed = log.valid[-1].tasks[task]
            printed.values[metric] = value
            printed.lines[metric] = line

    def _tested(self, line: int, text: str) -> None:
        """One dictionary of test values; where it names no task by a word, the run has one."""
        named = _TASK_OF_TEST.search(text)
        task = TASKS[named[1]] if named else self._only_task(line)
        self._test(
            line,
            task,
            {
                name.removeprefix("test_").removeprefix("eval_").removesuffix("_score"): number(
                    value, self.log.path, line
                )
                for name, value in _ENTRY.findall(text)
            },
        )

    def _test(self, line: int, task: str, values: dict[str, float]) -> None:
        """Of the best epoch where the evaluation was a new best and its test has not been printed
        yet.
        """
        epoch = sum(task in b.tasks for b in self.log.valid)
        tested = any(b.epoch == epoch and task in b.tasks for b in self.log.best)
        blocks = self.log.best if self.announced and not tested else self.log.last
        if not blocks or blocks[-1].epoch != epoch:
            blocks.append(Block(epoch, {}))
        blocks[-1].tasks[task] = Printed(values, line)
