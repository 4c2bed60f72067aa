"""The RO-Crate of the regenerated results: what the files are, who made them, from what."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from rocrate.model import ContextEntity
from rocrate.rocrate import ROCrate

from mtpeft import __version__
from mtpeft.core import environment
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import provenance_path, sha256
from mtpeft.reporting.inputs import Inputs

METADATA = "ro-crate-metadata.json"
FOLDERS = {
    "statistics": "recomputed statistical tests",
    "verification": "verdicts",
    "audit": "audit of causes and scores",
    "tables": "tables",
    "figures": "figures",
    "report": "report",
}
_TYPES = {
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".tex": "application/x-tex",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".html": "text/html",
    ".json": "application/json",
    ".xml": "application/xml",
}


def write_crate(inputs: Inputs) -> Path:
    """Describe every regenerated result in `<regenerated>/ro-crate-metadata.json`, then read it
    back.

    Date: SOURCE_DATE_EPOCH where set, else today (UTC); the crate's only value that is no function
    of the files. Provenance files are listed without checksum, because they record how long a run
    took.

    Returns:
        The path of the crate's metadata.

    Raises:
        MtpeftError: As `check_crate`.
    """
    root = inputs.regenerated
    crate = ROCrate(gen_preview=False)
    crate.name = "mtpeft: regenerated results"
    crate.description = (
        "Tests, tables, figures, verdicts and report recomputed from archived per-instance scores."
    )
    crate.license = "https://spdx.org/licenses/MIT"
    moment = (
        datetime.fromtimestamp(environment.count(environment.EPOCH, 0), UTC)
        if os.environ.get(environment.EPOCH)
        else datetime.now(UTC)
    )
    crate.datePublished = moment.date().isoformat()
    software = crate.add(
        ContextEntity(
            crate,
            "#mtpeft",
            properties={
                "@type": "SoftwareApplication",
                "name": "mtpeft",
                "softwareVersion": __version__,
            },
        )
    )
    results = [
        _add(crate, path, root, about)
        for folder, about in FOLDERS.items()
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    archive = crate.add(
        ContextEntity(
            crate,
            "#archive",
            properties={
                "@type": "Dataset",
                "name": "archived scores and printed statistics of the study",
                "description": "results/archived and results/published of the repository, each with SHA256SUMS",
            },
        )
    )
    crate.add(
        ContextEntity(
            crate,
            "#reproduction",
            properties={
                "@type": "CreateAction",
                "name": "make reproduce-all",
                "instrument": {"@id": software.id},
                "object": {"@id": archive.id},
                "result": [{"@id": entity} for entity in results],
            },
        )
    )
    target = root / METADATA
    write_atomic(
        target,
        json.dumps(crate.metadata.generate(), indent=1, sort_keys=True, ensure_ascii=False) + "\n",
    )
    check_crate(root)
    return target


def _add(crate: ROCrate, path: Path, root: Path, about: str) -> str:
    name = path.relative_to(root).as_posix()
    properties: dict[str, str | dict[str, str]]
    if path.name.endswith(".provenance.json"):
        properties = {
            "name": f"provenance of {name.removesuffix('.provenance.json')}",
            "encodingFormat": "application/json",
        }
    else:
        properties = {
            "name": f"{about}: {path.name}",
            "encodingFormat": _TYPES.get(path.suffix, "application/octet-stream"),
            "contentSize": str(path.stat().st_size),
            "sha256": sha256(path),
        }
        if provenance_path(path).is_file():
            properties["subjectOf"] = {"@id": f"{name}.provenance.json"}
    return str(crate.add_file(path, name, properties=properties).id)


def check_crate(root: Path) -> int:
    """Read the crate back: every file it lists is there and has its checksum.

    Returns:
        How many files it lists.

    Raises:
        MtpeftError: A file is absent or has another checksum.
    """
    crate = ROCrate(root)
    files = [entity for entity in crate.data_entities if entity.type == "File"]
    for entity in files:
        path = root / entity.id
        if not path.is_file():
            raise MtpeftError(
                f"{METADATA} lists {entity.id}, which is not there",
                "every listed file",
                "make report",
            )
        digest = entity.get("sha256")
        if digest and digest != sha256(path):
            raise MtpeftError(
                f"{entity.id} is not the file that {METADATA} lists",
                f"SHA-256 {digest}",
                "make report",
            )
    return len(files)
