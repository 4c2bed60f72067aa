"""Records of what a study printed or logged: every number names repository, commit, file and line.

A *figure* is a number of one run; a *cell* is a number of a typed table; a *counterpart* says which
logged number a cell could have been copied from. `line` counts from 1 in the upstream file as it is
(uncompressed); `cell` is the number, from 0, of a notebook's cell, and `line` is then the line of
the notebook's file.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PublishedRun:
    """One log, or one row of a typed table.

    Attributes:
        method: Catalog method name (`none`: prompting).
        variant: What the source says of the method beyond its name.
        params_basis: Where the count of trainable parameters comes from.
        seconds: Sum of the training epochs' wall time, evaluation left out.
        stack: Software generation as the log's HTTP client tells it.
        params_file: File that printed the count, empty where it is typed or unknown.
        params_line: Its line.
    """

    id: str
    generation: str
    basis: str
    source: str
    setting: str
    backbone: str
    method: str
    variant: str
    weighting: str
    sampler: str
    tasks: str
    epochs: float | None
    batch_size: float | None
    trainable_params: float | None
    total_params: float | None
    params_basis: str
    seconds: float | None
    peak_memory_gb: float | None
    stack: str
    status: str
    repository: str
    commit: str
    file: str
    params_file: str
    params_line: int | None


@dataclass(frozen=True)
class PublishedFigure:
    """One number of one run.

    Attributes:
        value: A proportion (loss: nats), to the four decimals that most logs print.
        epoch: Epoch that the weights come from, from 1, where known.
    """

    generation: str
    basis: str
    run: str
    task: str
    split: str
    selection: str
    metric: str
    value: float
    epoch: float | None
    repository: str
    commit: str
    file: str
    cell: int | None
    line: int


@dataclass(frozen=True)
class TableCell:
    """One cell of a typed table, in percent.

    Attributes:
        document: Notebook or LaTeX table.
        generation: That of the number itself.
    """

    document: str
    table: str
    generation: str
    setting: str
    backbone: str
    method: str
    tasks: str
    column: str
    printed: float


@dataclass(frozen=True)
class PrintedCell(TableCell):
    """Where a cell was typed.

    The revision's table repeats single-task rows of the paper: its document is then of G2 and its
    number of G1.
    """

    repository: str
    commit: str
    file: str
    cell: int | None
    line: int


@dataclass(frozen=True)
class Counterpart(TableCell):
    """A logged number that a typed cell can be held against.

    A cell without any log has one record whose rule is `no log`.

    Attributes:
        rule: How the number is chosen from its log: `best_valid_combined` or `best_valid` (test at
            the best validation epoch, the study's rule), `last_epoch`, `best_test` (of the tests
            at every new best validation the one with the highest mean over the run's tasks),
            `parameters` (share that the log counts), `parameters_of_backbone` (trained parameters
            over those of the backbone alone), `definition` (full fine-tuning trains 100 %).
        run: Run whose log it is, empty where there is none.
        logged: The number in percent, with all the digits that the log gives.
    """

    rule: str
    run: str
    epoch: float | None
    logged: float | None
    repository: str
    commit: str
    file: str
    line: int | None


@dataclass(frozen=True)
class EvaluationSet:
    """Size of one split.

    Attributes:
        positives: Examples of the positive class, exact where `positive_share` is positives /
            examples.
        basis: `log` where the size is printed in the file and line named; `derived` else.
    """

    task: str
    split: str
    examples: int
    positives: float | None
    positive_share: float | None
    basis: str
    repository: str
    commit: str
    file: str
    line: int | None


@dataclass(frozen=True)
class SeedFigure:
    """A test value of one run under one seed.

    Attributes:
        run: Id of the run.
        setting: `multi`, `pair` or `single`.
        backbone: The base model.
        method: How it was tuned.
        tasks: The tasks of the run, joined by `+`.
        task: The task that is measured.
        metric: By which the task is measured.
        seed: Of the training.
        value: In percent.
    """

    run: str
    setting: str
    backbone: str
    method: str
    tasks: str
    task: str
    metric: str
    seed: int
    value: float


@dataclass(frozen=True)
class SeedInterval:
    """A value, or the difference of two values of the same seed, over seeds.

    Attributes:
        quantity: `score` or `difference`.
        setting: Of the run: `multi`, `pair` or `single`.
        backbone: The base model.
        method: How it was tuned.
        tasks: The tasks of the run, joined by `+`.
        task: The task that is measured.
        metric: By which the task is measured.
        against: What is subtracted, as `SETTING METHOD`; empty for a score.
        seeds: How many there are.
        mean: In percent, or in points.
        deviation: Between the seeds, with n − 1.
        low: Lower end of the 95 % interval of the mean (Student's t, each by itself).
        high: Its upper end.
    """

    quantity: str
    setting: str
    backbone: str
    method: str
    tasks: str
    task: str
    metric: str
    against: str
    seeds: int
    mean: float
    deviation: float
    low: float
    high: float


@dataclass(frozen=True)
class LossWeight:
    """The learnable loss weight of one task in one log, after the first epoch and after the last.

    Attributes:
        collapsed: `yes` where one task's weight of the run ended above 0.99.
    """

    run: str
    task: str
    first: float | None
    last: float | None
    collapsed: str
    repository: str
    commit: str
    file: str
    first_line: int
    last_line: int


@dataclass(frozen=True)
class Contrast:
    """What the statistics stage makes of published figures: a value, or a difference of values, with
    its uncertainty and the rule that gave it.

    Attributes:
        edition: Version of the study whose figures it rests on; empty: of none.
        quantity: `score`, `mean`, `difference`, `imbalance`, `range`, `range by chance`,
            `baseline`, `typical error`, `prompted`, `hours`, `change of hours`, `parameters`,
            `share of parameters`, `hours per epoch`, `ratio of parameters`,
            `typed against logged`.
        setting: `multi`, `pair`, `single` or how a model was prompted.
        backbone: The model.
        method: How it was tuned; of a baseline: its name.
        tasks: The tasks of the run, joined by `+`.
        task: The task that is measured; empty: the mean over the run's tasks.
        metric: By which the task is measured.
        split: Examples that it is measured on.
        run: The figure's run, where it rests on a single one.
        against: What is subtracted or divided by, as `SETTING METHOD` (`SETTING BACKBONE METHOD`
            of a prompted model).
        value: In `unit`; NaN never occurs, a figure that is missing gives no record.
        error: One standard error in `unit`, NaN where it is not known.
        n: Test examples that it rests on.
        rule: How value and error are made.
    """

    study: str
    edition: str
    quantity: str
    setting: str
    backbone: str
    method: str
    tasks: str
    task: str
    metric: str
    split: str
    run: str
    against: str
    value: float
    error: float
    n: int | None
    unit: str
    rule: str


@dataclass
class Figures:
    """Everything that a study's public files hold, in the order of its tables.

    Attributes:
        files: Values read from each file, by repository and path; 0 for a file that repeats others.
    """

    runs: list[PublishedRun] = field(default_factory=list)
    figures: list[PublishedFigure] = field(default_factory=list)
    printed: list[PrintedCell] = field(default_factory=list)
    counterparts: list[Counterpart] = field(default_factory=list)
    sets: list[EvaluationSet] = field(default_factory=list)
    weights: list[LossWeight] = field(default_factory=list)
    files: dict[tuple[str, str], int] = field(default_factory=dict)
