"""All tasks of all runs about some files, each base model loaded once."""

from mtpeft.catalog import catalog
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.inference.apply.heads import ask_heads
from mtpeft.inference.apply.language_models import Residents, ask_language_model
from mtpeft.inference.apply.pieces import Given, questions, read, searched
from mtpeft.inference.apply.results import Options, Report, Work
from mtpeft.inference.heads import Encoders
from mtpeft.inference.trained import Trained, trained
from mtpeft.tasks.encoding import RANKING


def apply(options: Options) -> Report:
    """Ask runs about files.

    Args:
        options: What is asked of which runs.

    Returns:
        The answers; a bad file stops no other one.

    Raises:
        MtpeftError: A run has no weights or another base model, or a task is none of the runs'; a
            query is empty.
    """
    runs = [trained(name, options.training, options.seed) for name in dict.fromkeys(options.runs)]
    known = dict.fromkeys(task for run in runs for task in run.tasks)
    for task in options.tasks:
        if task not in known:
            raise UnknownName(f"task of {', '.join(r.name for r in runs)}", task, known)
    if not all(query.strip() for query in options.queries):
        raise MtpeftError("--query without a word", "what the function does", "mtpeft apply --help")
    given = read(options.files, options.names, options.every, options.language)
    report = Report(errors=given.errors, notes=given.notes)
    if given.errors and not (given.functions or given.pieces):
        return report  # of what nobody could read no task needs to say that it was not asked
    # By name: runs without tuning have no folder of their own.
    wanted = {run.called: _wanted(run, options, given, report) for run in runs}
    encoders, residents = Encoders(), Residents(runs, options)
    for run in (r for r in runs if wanted[r.called]):
        if run.heads:
            ask_heads(run, wanted[run.called], encoders, options, given, report)
        else:
            ask_language_model(run, wanted[run.called], *residents.of(run), options, report)
    return report


def _wanted(run: Trained, options: Options, given: Given, report: Report) -> Work:
    """What every task of a run is asked."""
    found: Work = []
    for name in run.tasks:
        task = catalog().get("tasks", name)
        if options.tasks and name not in options.tasks:
            continue
        try:
            if task.output == RANKING:
                asked = searched(task, given, options.queries) if options.queries else []
                why = "it needs --query TEXT" if given.functions else "no function was given"
            else:
                asked, why = questions(task, given, name in options.tasks)
        except MtpeftError as error:
            report.errors.append(error)
            continue
        if asked:
            found.append((task, asked))
        else:
            report.skipped.append((run.name, name, why))
    return found
