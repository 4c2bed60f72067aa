"""The kinds of things in the catalog: one dataclass per kind, one field per allowed YAML key."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Evaluation:
    """One evaluation set of a task, for example `generation-java`; its id names score tables and
    records.
    """

    id: str
    title: str
    language: str
    instances: int
    source_language: str = ""


@dataclass(frozen=True)
class Task:
    """A task. `module` holds how an example becomes prompt and target, and how output becomes an
    answer.
    """

    id: str
    study: str
    title: str
    abbreviation: str
    module: str
    evaluations: list[Evaluation]
    corpus: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    training_examples: str = ""
    reference: str = ""


@dataclass(frozen=True)
class Backbone:
    """A base model: its hub repository, pinned revision and size label as printed by the study."""

    id: str
    study: str
    title: str
    label: str
    hub: str
    revision: str
    kind: str
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A tuning method with the hyper-parameters of the study: what table 3 prints and what training
    reads.
    """

    id: str
    study: str
    title: str
    tuning: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One trained configuration. `id` is a path; ids are permanent, a withdrawn run keeps its
    reason.
    """

    id: str
    study: str
    backbone: str
    method: str
    arm: str
    tasks: list[str]
    withdrawn: str = ""


@dataclass(frozen=True)
class Metric:
    """A metric by its exact variant.

    better: `higher`, `lower` or `neither`; low/high: the range a value can have; printed: the
    labels under which the study's outputs print it; column: its column in the study's per-instance
    files; percent: shown ×100.
    """

    id: str
    title: str
    better: str
    printed: list[str]
    column: str
    low: float | None = None
    high: float | None = None
    grid: float | None = None
    percent: bool = False
    about: str = ""


@dataclass(frozen=True)
class Tool:
    """An analyser or metric library and the metrics it yields.

    unparseable_when: metric values that together show that the tool could not read the output;
    unparseable_metrics: the metrics whose value is then meaningless (empty: all of them);
    archive: folder of the study's per-instance files → evaluation id.
    """

    id: str
    study: str
    title: str
    version: str
    module: str
    metrics: list[Metric]
    unparseable_when: dict[str, float] = field(default_factory=dict)
    unparseable_metrics: list[str] = field(default_factory=list)
    archive: dict[str, str] = field(default_factory=dict)
    id_column: str = ""
    about: str = ""


@dataclass(frozen=True)
class Block:
    """One part of a comparison (a model size, or a task pair): side A against side B. `task` where
    it differs.
    """

    id: str
    a: str
    b: str
    task: str = ""


@dataclass(frozen=True)
class Output:
    """An archived rendering of a comparison's results: file name, variant, and the correction it
    applied.
    """

    file: str
    variant: str
    adjustment: str


@dataclass(frozen=True)
class Comparison:
    """One script of the study: a test over blocks and metrics.

    test: `wilcoxon` or `mcnemar`; pairing: `position` or `id`, as the study did it; family: `block`
    or `comparison`, the set of tests adjusted together; adjustment: the correction that the paper
    uses.
    """

    id: str
    study: str
    question: str
    title: str
    test: str
    task: str
    pairing: str
    family: str
    adjustment: str
    side_a: str
    side_b: str
    blocks: list[Block]
    metrics: list[str]
    outputs: list[Output]


@dataclass(frozen=True)
class Table:
    """A table of the paper. kind: the builder that renders it; options go to the builder."""

    id: str
    number: str
    study: str
    title: str
    kind: str
    comparisons: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A figure. kind: the drawer that makes it; options go to the drawer; text: what it shows, in
    one or two sentences.
    """

    id: str
    number: str
    study: str
    title: str
    kind: str
    text: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A published sentence and the rule that checks it. kind: the rule; options go to the rule."""

    id: str
    study: str
    text: str
    source: str
    kind: str
    options: dict[str, Any]
    table: str = ""
    about: str = ""


KINDS: dict[str, type] = {
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
