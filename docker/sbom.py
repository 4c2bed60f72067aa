"""Write the CycloneDX list of everything that makes a number here: Python packages, R packages, Debian or
Ubuntu packages, and the analysers that set-up fetches, each with its licence where it states one.

    sbom.py [--environment PYTHON] OUTPUT.json

PYTHON is the interpreter of the environment to list (default: the one that runs this). Python
packages come from cyclonedx-py; the others are added to its list as components with package URLs.
The result is validated against CycloneDX's own schema before it is written. Needs the group dev.
"""

import argparse
import csv
import io
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parents[1]
R_FIELDS = ("Package", "Version", "Priority", "LibPath", "License")
DOCUMENTS = Path("/usr/share/doc")
LOCKS = ROOT / "docker" / "locks"


def python_bom(interpreter: str) -> Bom:
    """The list of the Python packages that `interpreter` sees. Raises CalledProcessError where it
    cannot be made.
    """
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "cyclonedx_py",
            "environment",
            "--short-PURLs",
            "--output-reproducible",
            "--spec-version",
            "1.6",
            "--no-validate",
            "--pyproject",
            str(ROOT / "pyproject.toml"),
            interpreter,
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Bom.from_json(json.loads(done.stdout))


def debian_components(listing: str, distribution: dict[str, str]) -> Iterator[Component]:
    """Components for lines of `package TAB version TAB architecture TAB status`; what is not
    installed is left out.
    """
    vendor, release = distribution["ID"], distribution.get("VERSION_ID", "")
    for line in listing.splitlines():
        name, version, architecture, status = line.split("\t")
        if status != "installed":
            continue
        purl = PackageURL(
            "deb", vendor, name, version, {"arch": architecture, "distro": f"{vendor}-{release}"}
        )
        yield Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=version,
            purl=purl,
            bom_ref=purl.to_string(),
            licenses=licences(debian_licence(name)),
        )


def licences(name: str) -> list[DisjunctiveLicense]:
    """A licence as its package words it; none where it states none."""
    return [DisjunctiveLicense(name=name)] if name else []


def debian_licence(package: str) -> str:
    """The licences that a package's copyright file names, by its fields or by the texts it refers to."""
    path = DOCUMENTS / package / "copyright"
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8", errors="replace")
    found = re.findall(r"^License: *(\S.*)$", text, re.MULTILINE)
    found = found or re.findall(r"/usr/share/common-licenses/([A-Z][\w.-]*\w)", text)
    return ", ".join(sorted({name.strip() for name in found}))


def tool_components() -> Iterator[Component]:
    """The analysers that `make setup-analysers` and other-versions fetch, at their pinned versions."""
    java = tomllib.loads((LOCKS / "java-tools.toml").read_text(encoding="utf-8"))
    other = tomllib.loads((LOCKS / "other-versions.toml").read_text(encoding="utf-8"))
    rows = [(*t["id"].rsplit("-", 1), t["licence"]) for t in java["tool"]]
    rows += [("roslyn", java["roslyn"]["version"], java["roslyn"]["licence"])]
    rows += [("wordnet", "3.0", "WordNet 3.0 license")]
    rows += [(v["tool"], v["version"], v["licence"]) for v in other["version"]]
    for name, version, licence in rows:
        yield Component(
            type=ComponentType.APPLICATION,
            name=name,
            version=version,
            group="analyser",
            bom_ref=f"analyser:{name}@{version}",
            licenses=licences(licence),
        )


def r_components(listing: str) -> Iterator[Component]:
    """Components for a CSV with the columns of R_FIELDS.

    R's own packages (priority "base") are on no package archive and get no package URL.
    """
    for row in csv.DictReader(io.StringIO(listing)):
        base = row["Priority"] == "base"
        purl = None if base else PackageURL("cran", None, row["Package"], row["Version"])
        yield Component(
            type=ComponentType.LIBRARY,
            name=row["Package"],
            version=row["Version"],
            purl=purl,
            bom_ref=f"R:{row['Package']}@{row['Version']}",
            group="R",
            licenses=licences(row["License"]),
            properties=[Property(name="mtpeft:r:priority", value=row["Priority"] or "none")],
        )


def installed_r() -> str:
    """R's own list of its packages, as CSV. Raises CalledProcessError or FileNotFoundError (no R)."""
    fields = ", ".join(f'"{field}"' for field in R_FIELDS)
    return subprocess.run(
        [
            "Rscript",
            "--vanilla",
            "-e",
            f'write.csv(installed.packages()[, c({fields})], row.names = FALSE, na = "")',
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def installed_debian() -> str:
    """dpkg's list of packages, as `debian_components` reads it."""
    return subprocess.run(
        [
            "dpkg-query",
            "--show",
            "--showformat",
            "${Package}\\t${Version}\\t${Architecture}\\t${db:Status-Status}\\n",
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def distribution() -> dict[str, str]:
    """/etc/os-release as a dictionary."""
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return {
        key: value.strip('"') for key, _, value in (line.partition("=") for line in lines) if value
    }


def serialize(bom: Bom) -> str:
    """The list as JSON text. Raises ValueError where it does not fit CycloneDX's schema."""
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        raise ValueError(f"the list does not fit CycloneDX 1.6: {error}")
    return text + "\n"


def main() -> None:
    """Write the list and say what it counts."""
    parser = argparse.ArgumentParser(
        description="List everything installed here as CycloneDX JSON."
    )
    parser.add_argument(
        "--environment",
        default=sys.executable,
        metavar="PYTHON",
        help="interpreter to list (default: this)",
    )
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    bom = python_bom(arguments.environment)
    counts = {"Python": len(bom.components)}
    for kind, components in (
        ("R", r_components(installed_r())),
        ("system", debian_components(installed_debian(), distribution())),
        ("analysers", tool_components()),
    ):
        before = len(bom.components)
        bom.components.update(components)
        counts[kind] = len(bom.components) - before
    text = serialize(bom)
    arguments.output.resolve().parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(text, encoding="utf-8")
    print(f"{arguments.output}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))


if __name__ == "__main__":
    main()
