"""`mtpeft proof`: a study of ours on this machine, from training to tables."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from mtpeft.cli.group import example, group

app = group("proof", "Run a study of ours on this machine, from training to tables.", "run")


@app.command("run", **example("mtpeft proof miniature-peft --quick", "mtpeft proof miniature-peft"))
def run(
    context: typer.Context,
    study: Annotated[str, typer.Argument(help="a study with `proof:` in its study.yaml")],
    quick: Annotated[
        bool, typer.Option("--quick", help="the same steps in minutes; its figures mean nothing")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="pattern of runs; the rest is left; repeatable")
    ] = None,
) -> None:
    """Train, ask and score every run of a study under every seed, then test, judge and tabulate.

    The same command resumes; finished stages are taken as they are.
    """
    from mtpeft.catalog import catalog
    from mtpeft.core import paths
    from mtpeft.proof import driver

    chosen = catalog().get("studies", study)
    form = driver.form_of(chosen, quick=quick)
    # Its sizes are made for a machine without a GPU: whoever runs it has asked for the CPU.
    os.environ.setdefault("MTPEFT_DEVICE", "cpu")
    place = driver.home(study, quick=quick)
    below = place.relative_to(paths.REGENERATED).parts
    if paths.REGENERATED.parts[-len(below) :] != below:
        # All stages write below this folder: their root is read when the package is imported.
        os.environ["MTPEFT_OUT"] = str(place)
        os.execv(sys.executable, [sys.executable, "-m", "mtpeft", *sys.argv[1:]])  # noqa: S606
    from mtpeft.proof.conclusion import conclude

    root = context.find_root().command

    def invoke(words: Sequence[str]) -> int:
        try:
            root.main(list(words), standalone_mode=False)
        except SystemExit as end:
            return int(end.code or 0) if not isinstance(end.code, str) else 1
        return 0

    driver.perform(catalog(), chosen, form, invoke, only or [])
    conclude(catalog(), chosen, form)
