"""The command line: one file a group of commands, in the order in which data flows.

No logic lives here: a command reads its arguments, calls one function of a room and ends with its
exit code (0: done; 1: done, with something to look at; 2: could not).
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mtpeft.cli import (
    archive,
    compare,
    data,
    infer,
    matrix,
    proof,
    report,
    score,
    serve,
    study,
    train,
    verify,
)
from mtpeft.cli.apply import apply
from mtpeft.cli.group import example
from mtpeft.core import environment
from mtpeft.core.boundary import SHOW, explained
from mtpeft.core.hashing import fix_seed
from mtpeft.core.paths import need_repository
from mtpeft.core.text import forgiving, printable

ALIASES = {
    "audit": ("verify", "audit"),
    "audit-outputs": ("score", "audit-outputs"),
    "check-files": ("archive", "check"),
    "compare-predictions": ("verify", "predictions"),
    "explain-codebleu": ("score", "explain-codebleu"),
    "figures": ("report", "figures"),
    "flaky-cpu": ("train", "flaky-cpu"),
    "judge": ("score", "judge"),
    "merge": ("train", "merge"),
    "other-versions": ("score", "other-versions"),
    "plan": ("train", "plan"),
    "predictions": ("archive", "predictions"),
    "prompt": ("infer", "prompt"),
    "rank": ("infer", "rank"),
    "rescore": ("score", "archive"),
    "selftest-sandbox": ("score", "selftest-sandbox"),
    "setup-analysers": ("score", "setup"),
    "smoke": ("train", "smoke"),
    "smoke-heads": ("train", "smoke-heads"),
    "sonar-export": ("score", "sonar-export"),
    "sonar-import": ("score", "sonar-import"),
    "statistics": ("verify", "statistics"),
    "tables": ("report", "tables"),
    "verdict": ("verify", "verdict"),
    "verify-seeds": ("verify", "seeds"),
}
"""Short names of frequent commands and where they stand; help lists them by their place alone."""


HELP = {"--help", "-h"}


class Root(TyperGroup):
    """The groups, and the short names that stand for a group and a command."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Spell a short name out before the group is looked up."""
        if args and args[0] in ALIASES:
            args = [*ALIASES[args[0]], *args[1:]]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Reproduce, verify and extend studies of multi-task fine-tuning of code models.",
)
for module in (archive, data, train, infer, score, compare, verify, report, study, matrix, proof):
    app.add_typer(module.app)

app.command("serve", **serve.EXAMPLE)(serve.serve)


@app.callback()
def options(
    context: typer.Context,
    catalog: Annotated[
        list[Path] | None,
        typer.Option(help="a folder with studies, tasks, tools or runs of your own; repeatable"),
    ] = None,
) -> None:
    """Reproduce, verify and extend studies of multi-task fine-tuning of code models."""
    if context.invoked_subcommand != "list" and not HELP & set(sys.argv):
        need_repository()
        environment.check()
    if catalog:
        before = os.environ.get("MTPEFT_CATALOG", "")
        folders = [*map(str, catalog), *filter(None, [before])]
        os.environ["MTPEFT_CATALOG"] = os.pathsep.join(folders)


app.command(
    "apply",
    **example(
        "mtpeft apply unixcoder-base/mt-lora Sorting.java --functions",
        'mtpeft apply unixcoder-base/mt-lora io.py --query "read a file line by line" --json',
    ),
)(apply)


@app.command("list", **example("mtpeft list runs", "mtpeft list tools"))
def list_catalog(
    kind: Annotated[
        str,
        typer.Argument(help="studies, tasks, backbones, methods, runs, tools, claims, tables …"),
    ] = "runs",
    ids: Annotated[bool, typer.Option("--ids", help="ids alone, one a line")] = False,
) -> None:
    """List what is in the catalog."""
    from mtpeft.catalog import catalog
    from mtpeft.catalog.schema import KINDS
    from mtpeft.core.errors import UnknownName

    if kind not in KINDS:
        raise UnknownName("kind", kind, KINDS, "mtpeft list --help")
    for item in getattr(catalog(), kind).values():
        withdrawn = getattr(item, "withdrawn", "")
        text = (
            f"withdrawn: {withdrawn}"
            if withdrawn
            else getattr(item, "title", "") or getattr(item, "text", "")
        )
        typer.echo(item.id if ids else f"{item.id:55} {text}".rstrip())


@app.command(**example("mtpeft doctor"))
def doctor() -> None:
    """Check this machine: what is there, what is missing and how to get it."""
    from mtpeft.core.paths import ROOT
    from mtpeft.core.processes import run

    script = ROOT / "docker" / "setup" / "doctor.py"
    sys.exit(run([sys.executable, script], seconds=300, to_terminal=True).code)


def main() -> None:
    """Run the command line; deliberate errors are printed without a traceback and end with their code."""
    fix_seed()
    forgiving()
    try:
        app(prog_name="mtpeft")
    except BrokenPipeError:
        # Whoever read the output has seen enough (`| head`); nothing more can be said to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if os.environ.get(SHOW):
            raise
        told = explained(error)
        print(printable(f"mtpeft: {told}"), file=sys.stderr)
        sys.exit(told.exit_code)
    except (KeyboardInterrupt, SystemExit) as end:
        # Typer turns Ctrl-C into exit code 130 without a word.
        if isinstance(end, SystemExit) and end.code != 130:
            raise
        print(
            "mtpeft: interrupted; complete files are kept, the same command resumes",
            file=sys.stderr,
        )
        sys.exit(130)
