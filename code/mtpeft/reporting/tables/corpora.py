"""Table 1: the corpora, evaluation sets and how many instances of each the archive holds."""

from itertools import chain

from mtpeft.catalog import Table
from mtpeft.core.errors import BadInput
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.tables.model import Column, Group, Row, TableData, Value, text
from mtpeft.reporting.tables.sources import catalog_files

_COLUMNS = [
    Column("evaluation", "Evaluation set", numeric=False),
    Column("instances", "Instances"),
    Column("archived", "In the archive"),
    Column("runs", "Runs"),
    Column("training_examples", "Training examples", numeric=False),
    Column("corpus", "Corpus", numeric=False),
    Column("reference", "Evaluated on", numeric=False),
]


def build(table: Table, inputs: Inputs) -> TableData:
    """One row per evaluation set; archived counts are the smallest and largest over tools and runs.

    Raises:
        BadInput: There is no task to show.
    """
    tasks = inputs.known.of("tasks", table.study)
    if not tasks:
        study = inputs.known.studies[table.study].folder / "study.yaml"
        raise BadInput(study, f"no task for {table.id}", "tasks: [ID, …], or runs that have some")
    groups = []
    for task in tasks:
        rows = []
        for evaluation in task.evaluations:
            smallest, largest, runs = _archived(inputs, evaluation.id)
            counts = f"{largest:,}" if smallest == largest else f"{smallest:,}–{largest:,}"
            rows.append(
                Row(
                    {
                        "evaluation": text(evaluation.title),
                        "instances": Value(evaluation.instances, f"{evaluation.instances:,}"),
                        "archived": Value(counts, counts if runs else "none"),
                        "runs": Value(runs, str(runs)),
                        "training_examples": text(task.training_examples),
                        "corpus": text(task.corpus),
                        "reference": text(task.reference),
                    },
                    {"task": task.id, "evaluation_id": evaluation.id},
                )
            )
        groups.append(Group(f"{task.title} ({task.abbreviation})", rows))
    notes = [
        (
            "Instances: after the study's discard list. In the archive: fewest and most scored instances over all "
            "tools and runs."
        )
    ]
    names = {e.id for task in tasks for e in task.evaluations}
    files = [inputs.score_file(tool, name) for tool, name in inputs.score_counts if name in names]
    return TableData(
        table,
        _COLUMNS,
        groups,
        notes,
        [*catalog_files(inputs.known, "tasks", (t.id for t in tasks)), *sorted(files)],
    )


def _archived(inputs: Inputs, evaluation: str) -> tuple[int, int, int]:
    rows = [rows for (_, name), (_, rows) in inputs.score_counts.items() if name == evaluation]
    counts = [number for table in rows for number in table.values()]
    return (min(counts), max(counts), len({*chain(*rows)})) if counts else (0, 0, 0)
