"""Other versions of an analyser, and what they count on outputs whose scores were not archived.

The study names no version of Lizard and Pylint. Which one a printed value was computed with is
found by experiment (the audit of the statistics); for that, both sides of every comparison that
lacks archived scores are scored here by each version of docker/locks/other-versions.toml. A version
lies in a folder of its own, which comes first on the search path of the process that scores with
it. Written below `paths.REGENERATED`, as the study's scripts write scores:
other-versions/TOOL-VERSION/scores/TOOL/EVALUATION.csv.
"""

import json
import os
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from mtpeft.catalog import Tool, catalog
from mtpeft.catalog.places import archived_table
from mtpeft.core import paths, processes
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import sha256, write_provenance
from mtpeft.core.records import read_scores, write_scores
from mtpeft.scoring import engine
from mtpeft.scoring.predictions import archived_path, read_archived
from mtpeft.scoring.predictions import sets as archived_sets
from mtpeft.scoring.rescore import as_published, up_to_date
from mtpeft.scoring.tools.setup_analysers import folder, install_distributions, install_folder

LOCK = paths.ROOT / "docker" / "locks" / "other-versions.toml"


@dataclass(frozen=True)
class Version:
    """One version of a catalog tool.

    Attributes:
        tool: The tool.
        version: The version.
        requirements: Its distributions, pinned and hashed, as pip reads them.
        licence: Its SPDX identifier.
    """

    tool: str
    version: str
    requirements: list[str]
    licence: str

    @property
    def id(self) -> str:
        """Name of its folder."""
        return f"{self.tool}-{self.version}"


def pinned() -> list[Version]:
    """The versions of the lock file."""
    with open(LOCK, "rb") as stream:
        return [Version(**entry) for entry in tomllib.load(stream)["version"]]


def root() -> Path:
    """Where the scores of all versions are written."""
    return paths.REGENERATED / "other-versions"


def install(version: Version) -> str:
    """Install a version in its own folder.

    Returns:
        What was done.

    Raises:
        Unavailable: Pip cannot get it.
    """

    def fill(made: Path) -> str:
        install_distributions(version.requirements, made, version.id)
        return "pip"

    return install_folder(version.id, fill)


def run() -> list[Path]:
    """Score with every version that is installed. What is up to date stays as it is.

    Returns:
        The folders of scores.
    """
    sources = [archived_path(e) for e in archived_sets()]
    made = []
    for version in pinned():
        try:
            place = folder(version.id)
        except Unavailable as error:
            print(f"mtpeft: {version.id} cannot run here: {error.found}", file=sys.stderr)
            continue
        out = root() / version.id
        wanted: dict[str, object] = {
            "requirements": version.requirements,
            "predictions": [sha256(p) for p in sources],
            "rules": engine.source_digest(engine.load(version.tool)) + sha256(Path(__file__)),
        }
        if not up_to_date(out / "stamp.json", wanted):
            _in_process(version, place, out)
            files = {
                p.relative_to(paths.REGENERATED).as_posix(): sha256(p)
                for p in sorted(out.glob("scores/*/*.csv"))
            }
            write_atomic(
                out / "stamp.json",
                json.dumps({"inputs": wanted, "files": files}, sort_keys=True) + "\n",
            )
        made.append(out)
    return made


def _in_process(version: Version, place: Path, out: Path) -> None:
    """Score in a process that finds this version of the tool first."""
    path = os.pathsep.join(
        filter(
            None,
            [str(place), str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH")],
        )
    )
    # It ends with this process, and so do the workers that it starts.
    done = processes.run(
        [
            sys.executable,
            "-m",
            "mtpeft.scoring.other_versions",
            version.tool,
            version.version,
            str(out),
        ],
        seconds=1800,
        environment=os.environ | {"PYTHONPATH": path},
        to_terminal=True,
    )
    if done.code:
        raise MtpeftError(
            f"scoring with {version.id} ended with exit code {done.code}",
            "0",
            "see the message above",
        )


def score_with(tool: str, expected: str, out: Path) -> list[Path]:
    """Write the score tables of the version of a tool that this process imports.

    Args:
        tool: The tool.
        expected: The version that it must be.
        out: Below which score tables lie.

    Returns:
        The tables.

    Raises:
        MtpeftError: It is another version.
    """
    scorer = engine.load(tool)
    found = scorer.version().split()[0]
    if found != expected:
        raise MtpeftError(
            f"this process imports {tool} {found}",
            expected,
            f"rm -r {folder(f'{tool}-{expected}')}; make setup-analysers",
        )
    written = []
    kinds = [catalog().evaluations()[e] for e in archived_sets()]
    for evaluation in [e for e in kinds if engine.applies(catalog().tools[tool], scorer, e)]:
        runs = compared_runs(catalog().tools[tool], evaluation.id)
        items = [item for item in read_archived(evaluation.id).items if item.run in runs]
        if items:
            table = engine.table(items, engine.score(tool, items), scorer.metrics)
            written.append(
                write_scores(out, tool, evaluation.id, as_published(table, catalog().tools[tool]))
            )
            write_provenance(
                written[-1],
                [archived_path(evaluation.id)],
                tool=tool,
                tool_version=scorer.version(),
            )
    return written


def compared_runs(tool: Tool, evaluation: str) -> set[str]:
    """The runs on either side of a comparison on this evaluation set of which one has no archived
    scores of the tool.
    """
    path = archived_table(catalog(), tool.id, evaluation)
    archived = set(read_scores(path)["run"]) if path.is_file() else set()
    metrics = {metric.id for metric in tool.metrics}
    return {
        run
        for comparison in catalog().comparisons.values()
        if metrics & set(comparison.metrics)
        for block in comparison.blocks
        if (block.task or comparison.task) == evaluation and not {block.a, block.b} <= archived
        for run in (block.a, block.b)
    }


if __name__ == "__main__":
    try:
        score_with(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    except MtpeftError as error:
        print(f"mtpeft: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
