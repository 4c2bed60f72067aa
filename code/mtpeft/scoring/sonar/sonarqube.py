"""SonarQube and SonarCloud: outputs as a project for their scanner, and their measures as scores.

The services analyse whole projects, so that this is no batch tool: `export` writes the files
(wrapped, one folder per run), the scanner analyses them, `fetch` reads the measures of every file
through the web API and `scores` makes tables of them. SonarCloud's address is
https://sonarcloud.io, that of a server e.g. http://127.0.0.1:9000.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, Unavailable
from mtpeft.core.files import write_atomic
from mtpeft.core.http import (
    Client,
    Clock,
    Limits,
    Refused,
    RequestFailed,
    Secret,
    Unreadable,
    address,
)
from mtpeft.core.names import safe_name
from mtpeft.core.records import SCORE_KEYS, Score
from mtpeft.scoring.interface import Item
from mtpeft.scoring.merge import add_runs
from mtpeft.scoring.predictions import instance_order
from mtpeft.scoring.wrapping import SUFFIX, file_of

# Our metric → the service's measures, newest name first: the service renamed its issue counts in
# 2024.
MEASURES = {
    "sonar_loc": ("ncloc",),
    "sonar_security_hotspots": ("security_hotspots",),
    "sonar_reliability": ("software_quality_reliability_issues", "bugs"),
    "sonar_maintainability": ("software_quality_maintainability_issues", "code_smells"),
    "sonar_cyclomatic": ("complexity",),
    "sonar_cognitive": ("cognitive_complexity",),
}
PAGE = 500
LIMITS = Limits(attempts=4, seconds=60.0, body=64 << 20)


class SonarService:
    """The catalog's entry for the service: always says how to use it instead of scoring."""

    tool = "sonarcloud"
    metrics = tuple(MEASURES)
    service = True

    def version(self) -> str:
        """As `Scorer.version`."""
        raise Unavailable(
            "SonarCloud is a service that analyses projects, not single outputs",
            "measures imported with: mtpeft score sonar-import URL PROJECT",
            "see docker/sonarqube-compose.yaml",
        )

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """As `Scorer.score`."""
        self.version()
        yield from ()


def export(folder: Path, items: Iterable[Item], project: str = "mtpeft") -> int:
    """Write items as EVALUATION/RUN/ID/CLASS.ext with the scanner's settings.

    Args:
        folder: Where they go.
        items: The outputs.
        project: Key of the project.

    Returns:
        The number of files.

    Raises:
        MtpeftError: An id cannot be a folder's name.
    """
    count = 0
    for item in items:
        source = file_of(item)
        # These three are read back from the service's answer (`_place`), so they are names here.
        place = [item.task, run_folder(item.run), item.instance_id]
        path = (folder / "src").joinpath(*(safe_name(name, "the id") for name in place))
        write_atomic(path / f"{source.name}{SUFFIX[item.language]}", source.text)
        count += 1
    write_atomic(
        folder / "sonar-project.properties",
        f"sonar.projectKey={project}\nsonar.sources=src\n"
        "sonar.sourceEncoding=UTF-8\nsonar.scm.disabled=true\nsonar.cpd.exclusions=**\n"
        # Java files are analysed without compiled classes, as the study's were.
        "sonar.java.binaries=.\n",
    )
    return count


def run_folder(run: str) -> str:
    """A run's id as one folder name, reversible by `run_of_folder`."""
    return run.replace("/", "~")


def run_of_folder(name: str) -> str:
    """The run's id from its folder name."""
    return name.replace("~", "/")


def fetch(
    base: str, project: str, token: str | None = None, clock: Clock | None = None
) -> list[dict[str, Any]]:
    """All pages of the measures of a project's files.

    Args:
        base: Address of the service.
        project: Key of the project.
        token: Default: the environment's SONAR_TOKEN.
        clock: Time between attempts.

    Raises:
        Unavailable: The service cannot be reached or refuses.
        BadInput: It does not answer as documented.
    """
    secret = Secret(token, "the token") if token else Secret.of("SONAR_TOKEN")
    base = address(base, "the service's address", secret)
    keys = sorted({name for names in MEASURES.values() for name in names})
    pages: list[dict[str, Any]] = []
    with Client(secret, clock=clock, limits=LIMITS, server="the service") as client:
        available = _available(client, base, keys)
        total = PAGE
        while len(pages) * PAGE < total:
            page = _get(
                client,
                base,
                "/api/measures/component_tree",
                {
                    "component": project,
                    "metricKeys": ",".join(available),
                    "qualifiers": "FIL",
                    "strategy": "leaves",
                    "ps": PAGE,
                    "p": len(pages) + 1,
                },
            )
            total = total_of(page, base)
            if pages and not page.get("components"):
                # A service that announces more and more files must not be asked for ever.
                raise BadInput(
                    base,
                    f"page {len(pages) + 1} is empty, though there are {total} files",
                    "the answer of api/measures/component_tree",
                    "run the command again when the analysis has ended",
                )
            pages.append(page)
    return pages


def _available(client: Client, base: str, keys: list[str]) -> list[str]:
    """The measures that this service knows: asking for another one fails the whole request."""
    known: set[str] = set()
    total, number = PAGE, 1
    while (number - 1) * PAGE < total:
        page = _get(client, base, "/api/metrics/search", {"ps": PAGE, "p": number})
        before = len(known)
        try:
            known |= {m["key"] for m in page["metrics"]}
            total = int(page["total"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                base,
                f"no list of metrics: {error!r}",
                "the answer of api/metrics/search",
                "check the address",
            ) from error
        if len(known) == before:
            break
        number += 1
    return [key for key in keys if key in known]


def _get(client: Client, base: str, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
    try:
        page: Any = client.ask(base + path, query=parameters)
    except Unreadable as error:
        raise BadInput(
            base,
            f"{path} does not answer in JSON: {error.found}",
            "a SonarQube web API",
            "check the address",
        ) from error
    except Refused as error:
        raise Unavailable(
            error.found, "200", "set SONAR_TOKEN to a token that may browse the project"
        ) from error
    except RequestFailed as error:
        raise Unavailable(
            f"{base} cannot be reached: {error.found}",
            "a running SonarQube",
            "docker compose -f docker/sonarqube-compose.yaml up -d",
        ) from error
    if not isinstance(page, dict):
        raise BadInput(
            base,
            f"{path} answers with a {type(page).__name__}",
            "a JSON object",
            "check the address",
        )
    return page


def total_of(page: dict[str, Any], source: str) -> int:
    """How many files the service has, from the paging of one page.

    Raises:
        BadInput: The page does not say.
    """
    try:
        return int(page["paging"]["total"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            source, f"a page without paging: {error!r}", "the answer of api/measures/component_tree"
        ) from error


def scores(pages: Iterable[dict[str, Any]], source: str = "SonarQube") -> dict[str, pd.DataFrame]:
    """Score tables by evaluation set, from the measures of files laid out by `export`.

    A file without lines of code is one that the service could not parse.

    Args:
        pages: As `fetch` gives them.
        source: Where they come from, for messages.

    Raises:
        BadInput: A page is not as documented, a file is outside the layout, or comes twice.
    """
    rows: dict[str, list[list[Any]]] = {}
    seen: set[tuple[str, str, str]] = set()
    for page in pages:
        for component in page.get("components", ()):
            evaluation, run, instance = _place(component, source)
            if (evaluation, run, instance) in seen:
                raise BadInput(source, f"{run} / {instance} again", "each file once")
            seen.add((evaluation, run, instance))
            values = _values(component, source)
            read = bool(values["sonar_loc"])
            rows.setdefault(evaluation, []).append(
                [
                    run,
                    0,
                    instance,
                    "ok" if read else "unparseable",
                    *(values[m] if read else None for m in MEASURES),
                ]
            )
    return {name: _numbered(part) for name, part in sorted(rows.items())}


def _place(component: dict[str, Any], source: str) -> tuple[str, str, str]:
    path = PurePosixPath(str(component.get("path", "")))
    parts = path.parts
    if len(parts) != 5 or parts[0] != "src" or path.suffix not in SUFFIX.values():
        raise BadInput(
            source,
            f"a file at {path}",
            "src/EVALUATION/RUN/INSTANCE/CLASS, as `mtpeft score sonar-export` writes it",
        )
    if parts[1] not in catalog().evaluations():
        raise BadInput(
            source, f"evaluation set {parts[1]!r} at {path}", ", ".join(catalog().evaluations())
        )
    return parts[1], run_of_folder(parts[2]), parts[3]


def _values(component: dict[str, Any], source: str) -> dict[str, float | None]:
    try:
        given = {
            m["metric"]: float(m["value"]) for m in component.get("measures", ()) if "value" in m
        }
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            source, f"{component.get('path')}: unreadable measure: {error!r}", "metric and value"
        ) from error
    result: dict[str, float | None] = {}
    for metric, names in MEASURES.items():
        value = next((given[n] for n in names if n in given), None)
        # The service leaves a count out where it is zero, but not the size of a file that it has
        # read.
        result[metric] = value if value is not None or metric == "sonar_loc" else 0.0
    return result


def _numbered(rows: list[list[Any]]) -> pd.DataFrame:
    rows.sort(key=lambda r: (r[0], instance_order(r[2])))
    counts: dict[str, int] = {}
    for row in rows:
        counts[row[0]] = row[1] = counts.get(row[0], 0) + 1
    return pd.DataFrame(rows, columns=[*SCORE_KEYS, *MEASURES])


def scorer() -> SonarService:
    """The service's place in the catalog."""
    return SonarService()


def write(
    base: str, project: str, token: str | None = None, root: Path | None = None
) -> list[Path]:
    """Fetch a project's measures and write them as score tables of the tool `sonarqube-own`.

    They lie below results/regenerated/sonarqube, apart from the archived service's: another
    version, other rules.

    Args:
        base: As in `fetch`.
        project: As in `fetch`.
        token: As in `fetch`.
        root: Below which score tables lie.

    Returns:
        The tables.

    Raises:
        BadInput: The service does not answer as documented, or knows no file of the project.
    """
    tables = scores(fetch(base, project, token), base)
    if not tables:
        raise BadInput(
            base,
            f"project {project} has no files",
            "a project as `mtpeft score sonar-export` writes it",
            "run the scanner first (docker/sonarqube-compose.yaml)",
        )
    place = root or paths.REGENERATED / "sonarqube"
    written = []
    for evaluation, table in tables.items():
        written.append(
            add_runs(
                place, "sonarqube-own", evaluation, table, source=f"{base} {project}", version=""
            )
        )
    return written
