"""The kinds of things in the catalog: one dataclass per kind, one field per allowed YAML key.

A field whose words are a closed set is a `Literal`; the loader refuses any other word as it refuses
an unknown key.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

TestName = Literal["wilcoxon", "mcnemar", "summary"]
Exactness = Literal["normal", "r-default"]
Missing = Literal["drop", "own", "zero"]
Pairing = Literal["position", "id"]
Family = Literal["block", "comparison"]
Adjustment = Literal["holm", "bh"]
Better = Literal["higher", "lower", "neither"]
Variant = Literal[
    "CLEAN", "RAW", "holm-CLEAN", "holm-RAW", "BH-CLEAN", "BH-RAW", "rounded-2", "rounded-4"
]
Regime = Literal["st", "mt", "untuned"]
BackboneKind = Literal["decoder", "encoder", "encoder-decoder"]
Basis = Literal["log", "reported"]
FigureMetric = Literal["acc", "f1", "mrr"]
Split = Literal["train", "valid", "test"]
OutputKind = Literal["code", "text", "label", "ranking"]

# What shipped builders, drawers and rules are called, and the options that each takes (`?`: may be
# left out). Any other kind is the dotted name of a module, whose options are its own affair. Tests
# hold these lists against the modules that do the work.
TABLE_KINDS = {
    "comparison": "metrics? without?",
    "configuration": "methods?",
    "corpora": "",
    "tools": "",
}
FIGURE_KINDS = {"forest": "comparisons", "sizes": "panels", "slope": "panels"}
TEST_CLAIMS = {
    "relative_change": "comparison block metric percent",
    "largest_change": "comparisons blocks metrics percent",
    "none_significant": "comparisons blocks? adjustment",
    "count_significant": "question variant?",
}
"""Rules that look at tests and printed cells."""
FIGURE_CLAIMS = {
    "shared_matches_full": "z",
    "shared_surpasses_full": "z",
    "close_to_single": "margin",
    "parameter_factor": "factor",
    "computation": "percent",
    "grouping_sensitive": "chance level",
    "asymmetric": "chance level z",
    "prompting": "tasks backbone method z",
    "validation_chosen": "",
    "weights_stay": "limit",
}
"""Rules that look at published and logged figures."""
CLAIM_KINDS = TEST_CLAIMS | FIGURE_CLAIMS
CLAIM_WORDS = (
    "supported",
    "supported in the one generation that can be checked",
    "supported only in one generation",
    "not supported in the one generation that can be checked",
    "not supported",
    "not checkable",
)
"""What rules that look at figures may say of a claim."""
# Options whose values name something else in the catalog, wherever they stand in the options of a
# shipped kind.
OPTION_REFERENCES = {
    "comparison": "comparisons",
    "comparisons": "comparisons",
    "printed": "comparisons",
    "metric": "metrics",
    "metrics": "metrics",
    "without": "metrics",
    "evaluation": "evaluations",
    "tasks": "tasks",
    "backbone": "backbones",
    "method": "methods",
    "methods": "methods",
    "question": "questions",
    "block": "blocks",
    "blocks": "blocks",
}
OPTION_WORDS: dict[str, Any] = {"adjustment": Adjustment}
OPTION_NUMBERS = ("percent", "z", "margin", "factor", "chance", "level", "limit")
"""Options of shipped claim rules whose value is a number, or its digits as a paper prints them."""


GIVEN = {"given": True}
"""Metadata of a field that no YAML key sets: it follows from the folder in which an item stands."""
SOME = {"some": True}
"""Metadata of a list that has at least one entry, and none of them twice."""
ONE = {"one": True}
"""Metadata of a list of things with ids, each its own."""
POSITIVE = {"least": 1}
"""Metadata of a number that is at least 1 (`least`, `most`: the limits of a number)."""
COUNT = {"least": 0}
"""Metadata of a number that is not negative."""


@dataclass(frozen=True)
class Question:
    """A research question of a study: `RQ1`, and what it asks."""

    id: str
    title: str


@dataclass(frozen=True)
class Edition:
    """A version of a study whose figures differ from those of the others.

    Attributes:
        id: How its figures name it.
        title: What it is called.
        about: What its figures rest on.
        label: A short title for tables.
        basis: Which figures count: `log` or `reported` (typed).
        selection: Which of several figures of a run counts; empty: none of this edition is read.
        weightings: Loss weightings that its tables use; empty text for a run of one task.
        table: The typed table that holds its figures.
        chosen: How its figures were chosen, for readers.
    """

    id: str
    title: str
    about: str = ""
    label: str = ""
    basis: Basis = "log"
    selection: str = ""
    weightings: list[str] = field(default_factory=lambda: [""])
    table: str = ""
    chosen: str = ""


@dataclass(frozen=True)
class Measured:
    """A task of published figures.

    Attributes:
        id: The task.
        metric: The one that the study prints for it, a proportion.
        typical: A value in percent at which its sampling error is told.
        short: Its name where there is little room.
    """

    id: str
    metric: FigureMetric
    typical: float = field(metadata={"least": 0, "most": 100})
    short: str = ""


@dataclass(frozen=True)
class Tuned:
    """A backbone and how it was tuned."""

    backbone: str
    method: str


@dataclass(frozen=True)
class Numbers:
    """How the published figures of a study are read: what there is, in the order of its tables.

    Attributes:
        tasks: What a shared module is trained on.
        backbones: Ids as its figures name them.
        methods: Titles by the names that its figures use.
        full: The method that trains every weight.
        shared: The methods that are held against it.
        pairs: The methods that two tasks were trained with.
        prompted_against: What prompted models are held against.
        rank_deviation: Assumed standard deviation of a reciprocal rank.
        seeds: What is known of the spread between seeds, for readers.
        time: What a run's seconds are.
    """

    tasks: list[Measured] = field(metadata=SOME | ONE)
    backbones: list[str]
    methods: dict[str, str]
    full: str
    shared: list[str]
    pairs: list[str] = field(default_factory=list)
    prompted_against: Tuned | None = None
    rank_deviation: float = 0.4
    seeds: str = ""
    time: str = "wall time of the training epochs as logged"


@dataclass(frozen=True)
class Corpus:
    """A name that `--corpus` takes, and the module with `examples(task, split, **options)`.

    Attributes:
        id: The name.
        title: What it holds.
        module: Dotted name of the module.
        options: Passed to `examples` as they stand.
        evaluations: By task, the evaluation set that its test split is; else the task's first.
    """

    id: str
    title: str
    module: str
    options: dict[str, Any] = field(default_factory=dict)
    evaluations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """A choice of a study that is repeated as published, is a fault, and shows in no figure.

    Attributes:
        title: What was done, in a few words.
        text: What it means.
        evaluations: Evaluation sets whose values rest on it.
        tools: Tools whose values rest on it.
    """

    id: str
    title: str
    text: str
    evaluations: list[str]
    tools: list[str]


@dataclass(frozen=True)
class Absent:
    """What the archive of a study is known to lack: the scores of some runs by one tool.

    Attributes:
        tool: The tool whose scores are absent.
        evaluation: The evaluation set of which they are.
        runs: The runs whose scores are absent; empty: all of them.
        reason: Why, as far as it is known.
    """

    tool: str
    evaluation: str
    reason: str
    runs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Form:
    """A size in which a study of ours is run: what is trained, on what, how often.

    Attributes:
        runs: Ids of its runs, or patterns of them (`BACKBONE/mt-*`).
        seeds: Every run is trained once with each.
        corpus: What `--corpus` calls its examples; a sample says its rule there.
        profile: Of training.
        inference: Profile of inference, of runs that write text.
        settings: Changes of training settings.
        tools: What scores the answers; empty: every tool that reads them.
        tested: Evaluation sets whose tests are run as well, in the sandbox.
        limit: Instances of each set that are asked, evenly spaced (0: all).
    """

    runs: list[str] = field(metadata=SOME)
    seeds: list[int] = field(metadata=SOME)
    corpus: str
    profile: str
    inference: str = "clean"
    settings: dict[str, Any] = field(default_factory=dict)
    tools: list[str] = field(default_factory=list)
    tested: list[str] = field(default_factory=list)
    limit: int = field(default=0, metadata=COUNT)


@dataclass(frozen=True)
class Compared:
    """Two runs of a study of ours that a question sets against each other; differences are B minus A.

    Attributes:
        question: Id of the question.
        a: Id of one run.
        b: Id of the other.
    """

    question: str
    a: str
    b: str


@dataclass(frozen=True)
class Proof:
    """A study that is run here from training to tables, in two sizes; it has no archive.

    Attributes:
        questions_of: The study whose questions it asks again.
        claims: Those of that study's claims that are held against what comes out.
        full: What the recorded results come from.
        quick: The same steps in minutes; its figures mean nothing.
        contrasts: Runs whose scores are compared instance by instance.
    """

    questions_of: str
    full: Form
    quick: Form
    claims: list[str] = field(default_factory=list)
    contrasts: list[Compared] = field(default_factory=list)


@dataclass(frozen=True)
class Study:
    """A study: who published what, and which shared things it used.

    Its runs, comparisons, tables, figures and claims stand next to its `study.yaml`. Attributes
    that are lists of ids may be left out where they follow from these.

    Attributes:
        id: Name of its folder.
        folder: Where its files are.
        title: Title of the publication.
        authors: Their full names, in the printed order.
        arxiv: Identifier at arXiv.
        licence: Under which its repository is published; empty where none is stated.
        repository: OWNER/NAME at GitHub of what it published apart from the paper.
        commit: The commit that its figures are taken from.
        questions: Its research questions, in order.
        editions: Versions with figures of their own, in order; empty where there is one.
        numbers: How its published figures are read, where it has any.
        corpora: What `--corpus` calls its examples; the first is that of its runs.
        absent: What its archive is known to lack.
        rows: How many records each table of what it published holds (`statistics: 5233`), by the
            table's name.
        tasks: Tasks it trains or scores.
        tools: Tools it scores with.
        methods: Methods it trains with.
        backbones: Base models it trains.
        about: One or two sentences.
        on_demand: Its figures are not shipped: `mtpeft archive import` fetches them, and until then
            every command passes over the study.
        notes: What a reader of its figures should know and no figure shows, one sentence each.
        choices: What it did that is a fault, is repeated as published and shows in no figure.
        proof: How it is run here, where it is a study of ours without an archive.
    """

    id: str = field(metadata=GIVEN)
    folder: Path = field(metadata=GIVEN)
    title: str = ""
    authors: list[str] = field(default_factory=list)
    arxiv: str = ""
    licence: str = ""
    repository: str = ""
    commit: str = ""
    questions: list[Question] = field(default_factory=list, metadata=ONE)
    editions: list[Edition] = field(default_factory=list, metadata=ONE)
    numbers: Numbers | None = None
    corpora: list[Corpus] = field(default_factory=list, metadata=ONE)
    absent: list[Absent] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict, metadata=COUNT)
    tasks: list[str] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    backbones: list[str] = field(default_factory=list)
    about: str = ""
    on_demand: bool = False
    notes: list[str] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list, metadata=ONE)
    proof: Proof | None = None


@dataclass(frozen=True)
class Evaluation:
    """One evaluation set of a task, for example `generation-java`; its id names score tables and
    records.

    Attributes:
        output: What an answer is, where it is not what the task says.
        repetitions: How often each problem was answered: where it is more than once,
            instances are numbered `PROBLEM#0`, `PROBLEM#1`, ….
        corpus: Where its instances come from, as `--corpus` takes it; empty: where the run's
            other examples come from.
    """

    id: str
    title: str
    language: str
    instances: int = field(metadata=COUNT)
    source_language: str = ""
    output: OutputKind | None = None
    repetitions: int = field(default=1, metadata=POSITIVE)
    corpus: str = ""


@dataclass(frozen=True)
class Task:
    """A task. `module` holds how an example becomes prompt and target, and how output becomes an
    answer.

    Attributes:
        output: What an answer is; tools say which of these they read.
        sizes: Examples of each split (`train`, `valid`, `test`), for estimates.
        tokens: Of a training example on average, all its texts together, for estimates.
    """

    id: str
    title: str
    abbreviation: str
    module: str
    output: OutputKind
    evaluations: list[Evaluation] = field(metadata=ONE)
    corpus: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    training_examples: str = ""
    sizes: dict[Split, int] = field(default_factory=dict, metadata=COUNT)
    tokens: int = field(default=0, metadata=COUNT)
    reference: str = ""


@dataclass(frozen=True)
class Classifier:
    """The classifier of two classes that was published with an encoder's weights.

    Attributes:
        task: What it answers.
        positive: The class that means yes, 0 or 1.
        code_length: The most tokens of a function, special ones included.
    """

    task: str
    positive: int = field(metadata={"least": 0, "most": 1})
    code_length: int = field(metadata=POSITIVE)


@dataclass(frozen=True)
class Backbone:
    """A base model: its hub repository, pinned revision and size label as printed by the study.

    Attributes:
        config: What its architecture is, as in transformers' configuration, so that it can
            be counted without its weights.
        modules: The modules that a kind of method changes, by the last parts of their
            names.
        virtual_tokens: Where prefix tuning puts them: into the keys and values of every
            layer, or before the input.
        weights: The entry of data/manifest.toml that makes its weights, where they come from
            published files and not from the hub.
        seen: Examples of this package's tasks that the weights were trained on.
        classifier: That was published with the weights.
    """

    id: str
    title: str
    label: str
    hub: str
    revision: str
    kind: BackboneKind
    config: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, list[str]] = field(default_factory=dict)
    virtual_tokens: Literal["keys", "input"] = "keys"
    weights: str = ""
    seen: str = ""
    classifier: Classifier | None = None


@dataclass(frozen=True)
class Method:
    """A tuning method with the hyper-parameters of the study: what table 3 prints and what
    training reads.

    Attributes:
        tuning: Of a causal language model.
        heads: Of an encoder with a head per task.
        module: What attaches it to a model (default: mtpeft.models.methods.<id>).
    """

    id: str
    title: str
    tuning: dict[str, Any] = field(default_factory=dict)
    heads: dict[str, Any] = field(default_factory=dict)
    module: str = ""


@dataclass(frozen=True)
class Run:
    """One trained configuration.

    Attributes:
        id: A path such as `qwen2.5-coder-1.5b/mt-qlora`. Ids are permanent.
        study: The study that it belongs to.
        backbone: The base model.
        method: What is trained.
        regime: Whether one model serves one task or several.
        tasks: The tasks that it is trained on.
        withdrawn: Why it does not train any more; empty for a run that does.
    """

    id: str
    study: str = field(metadata=GIVEN)
    backbone: str
    method: str
    regime: Regime
    tasks: list[str] = field(metadata=SOME)
    withdrawn: str = ""


@dataclass(frozen=True)
class Margin:
    """How much the mean of a metric may move between two machines and still count as the same.

    Attributes:
        size: In the metric's unit.
        share: As a share of the reference's mean (one of the two).
        reason: Why so much.
    """

    reason: str
    size: float | None = field(default=None, metadata=COUNT)
    share: float | None = field(default=None, metadata=COUNT)


@dataclass(frozen=True)
class Metric:
    """A metric by its exact variant.

    Attributes:
        better: `higher`, `lower` or `neither`.
        low: The least value that it can have.
        high: The greatest value that it can have.
        printed: The labels under which the study's outputs print it.
        column: Its column in the study's per-instance files.
        percent: Shown ×100.
        margin: As in `Tool`, where this metric needs another.
        least_share: The share of the instances with a value on one side that must have one
            on both, or nothing is said about the mean.
    """

    id: str
    title: str
    better: Better
    printed: list[str]
    column: str
    low: float | None = None
    high: float | None = None
    grid: float | None = None
    percent: bool = False
    about: str = ""
    margin: Margin | None = None
    least_share: float = field(default=0.95, metadata={"least": 0, "most": 1})


@dataclass(frozen=True)
class Tool:
    """An analyser or metric library and the metrics it yields.

    Attributes:
        unparseable_when: Metric values that together show that the tool could not read the
            output.
        unparseable_metrics: The metrics whose value is then meaningless (empty: all of
            them).
        archive: Folder of the study's per-instance files → evaluation id.
        reads: The kinds of output that it can score.
        languages: Those that it knows (empty: any).
        options: Settings of the scorer, passed to it as they stand.
        margin: Within which two sets of answers are equivalent.
    """

    id: str
    title: str
    version: str
    module: str
    reads: list[OutputKind]
    metrics: list[Metric] = field(metadata=SOME | ONE)
    unparseable_when: dict[str, float] = field(default_factory=dict)
    unparseable_metrics: list[str] = field(default_factory=list)
    archive: dict[str, str] = field(default_factory=dict)
    id_column: str = ""
    languages: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    about: str = ""
    margin: Margin | None = None


@dataclass(frozen=True)
class Block:
    """One part of a comparison (a model size, or a task pair): side A against side B.

    Attributes:
        id: Unique in the comparison.
        a: The run on side A.
        b: The run on side B; a summary has none.
        task: The evaluation set, where it is another one than the comparison's.
    """

    id: str
    a: str
    b: str = ""
    task: str = ""


@dataclass(frozen=True)
class Output:
    """An archived rendering of a comparison's results: file name, variant, and the correction it
    applied.

    `…CLEAN`: fixed decimals; `…RAW`: R's seven significant digits; `rounded-N`: rounded to N
    decimals, zeros at the end left out (R's `round(x, N)` in `write.csv`), yes or no judged by
    the rounded p-value.

    Attributes:
        variant: How its values are printed.
    """

    file: str
    variant: Variant
    adjustment: Adjustment


@dataclass(frozen=True)
class Comparison:
    """One script of the study: a test over blocks and metrics.

    Attributes:
        test: `wilcoxon`, `mcnemar`, or `summary`: no test, but the sum, number and share of side A.
        pairing: `position` or `id`, as the study did it.
        family: `block` or `comparison`, the set of tests adjusted together.
        adjustment: The correction that the paper uses.
        exactness: How the study's signed-rank test gets its p-value. `normal`: always the normal
            approximation, uncorrected; `r-default`: as R's `wilcox.test` decides, exact below 50
            pairs without ties or zeros, else with continuity correction.
        missing: What the study did with an instance that has no value. `drop`: it left its pair
            out; `own`: out of the test with its pair, out of the unpaired effect on its own side
            only (R's `wilcox.test` and `cliff.delta`); `zero`: it stood for 0.
        cluster: A CSV in the study's folder that names the project or file of each instance
            (columns `instance_id`, `cluster`); the corrected tests and intervals then take
            clusters, not instances, for independent.
    """

    id: str
    study: str = field(metadata=GIVEN)
    question: str
    title: str
    test: TestName
    task: str
    pairing: Pairing
    family: Family
    adjustment: Adjustment
    side_a: str
    side_b: str
    blocks: list[Block] = field(metadata=SOME)
    metrics: list[str] = field(metadata=SOME)
    outputs: list[Output]
    exactness: Exactness = "normal"
    missing: Missing = "drop"
    cluster: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the paper.

    Attributes:
        kind: The builder that renders it; options go to the builder.
    """

    id: str
    number: str
    study: str = field(metadata=GIVEN)
    title: str
    kind: str
    comparisons: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        kind: The drawer that makes it; options go to the drawer.
        text: What it shows, in one or two sentences.
    """

    id: str
    number: str
    study: str = field(metadata=GIVEN)
    title: str
    kind: str
    text: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A published sentence and the rule that checks it.

    Attributes:
        kind: The rule.
        options: Go to the rule.
        expected: What the shipped figures are known to say: the verdict (`exact`, `differs` …), or
            the word of a claim that is judged in words (`supported`, `not supported` …); another
            one is a difference without a cause.
    """

    id: str
    study: str = field(metadata=GIVEN)
    text: str
    source: str
    kind: str
    options: dict[str, Any]
    table: str = ""
    about: str = ""
    expected: str = ""


KINDS: dict[str, type] = {
    "studies": Study,
    "tasks": Task,
    "backbones": Backbone,
    "methods": Method,
    "runs": Run,
    "tools": Tool,
    "comparisons": Comparison,
    "tables": Table,
    "figures": Figure,
    "claims": Claim,
}
OWNED = ("comparisons", "tables", "figures", "claims")
"""Kinds that belong to a study; a run may also stand alone."""
