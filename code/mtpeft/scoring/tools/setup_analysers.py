"""Fetching the pinned analysers that are no Python packages.

Tools land in data/cache/tools/ID (MTPEFT_TOOLS names another folder), each with a `SOURCE.json` that says where it came from. What is
there and intact is left alone; a tool is put in place by one rename, so that an interrupted set-up
leaves nothing half done.
"""

import hashlib
import json
import os
import shutil
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.core import paths, processes
from mtpeft.core.download import Policy, Wanted, download
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.files import scratch, write_atomic
from mtpeft.core.http import offline
from mtpeft.core.locks import held
from mtpeft.core.provenance import sha256

LOCK = paths.ROOT / "docker" / "locks" / "java-tools.toml"
_SECONDS = 600
POLICY = Policy(attempts=3)


@dataclass(frozen=True)
class JavaTool:
    """One pinned tool.

    Attributes:
        id: Of the tool.
        title: What people call it.
        jars: How many it has.
        jars_sha256: The digest of its jars (see `jars_digest`); empty: not pinned.
        sources: The ways to get it, in order of preference (see the lock file).
    """

    id: str
    title: str
    jars: int
    jars_sha256: str
    sources: list[dict[str, Any]]


def pinned() -> dict[str, JavaTool]:
    """The tools of the lock file, by id."""
    with open(LOCK, "rb") as stream:
        tools = tomllib.load(stream)["tool"]
    return {
        t["id"]: JavaTool(t["id"], t["title"], t["jars"], t["jars_sha256"], t["source"])
        for t in tools
    }


def folder(tool: str) -> Path:
    """Where a tool is installed.

    Raises:
        Unavailable: It is not.
    """
    path = paths.tools() / "tools" / tool
    if not (path / "SOURCE.json").is_file():
        raise Unavailable(
            f"{tool} is not installed", str(paths.shown(path)), "make setup-analysers"
        )
    return path


def java() -> str:
    """The Java launcher.

    Raises:
        Unavailable: There is none.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if not found:
        raise Unavailable(
            "no java",
            "a Java runtime, version 17 or newer",
            "apt-get install openjdk-17-jdk-headless",
        )
    return found


def jars_digest(path: Path) -> str:
    """SHA-256 over the names and SHA-256 sums of the jars below PATH/lib, sorted by name."""
    lines = [
        f"{sha256(jar)}  {jar.name}\n"
        for jar in sorted((path / "lib").glob("*.jar"), key=lambda p: p.name.encode())
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def install(tool: JavaTool) -> str:
    """Install one tool.

    Returns:
        What was done.

    Raises:
        Unavailable: No source serves it; the error has the reasons.
    """
    target = paths.tools() / "tools" / tool.id
    if there := _in_place(tool, target):  # also where nobody may write, as in an image
        return there
    with held(target):
        return _in_place(tool, target) or _install(tool, target)


def _in_place(tool: JavaTool, target: Path) -> str:
    if not (target / "SOURCE.json").is_file():
        return ""
    record = json.loads((target / "SOURCE.json").read_text(encoding="utf-8"))
    whole = jars_digest(target) == record["jars_sha256"]
    return f"{tool.id}: in place (from {record['source']})" if whole else ""


def _install(tool: JavaTool, target: Path) -> str:
    if target.exists():
        shutil.rmtree(target)
    reasons = []
    for source in tool.sources:
        with scratch("tool", target.parent) as work:
            try:
                made = _FETCH[source["kind"]](source, work)
                digest = _check(tool, made)
            except MtpeftError as error:
                reasons.append(f"{source['kind']}: {error.found}")
                continue
            except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
                reasons.append(f"{source['kind']}: {error}")
                continue
            record = {"tool": tool.id, "source": _name(source), "jars_sha256": digest}
            write_atomic(made / "SOURCE.json", json.dumps(record, indent=1, sort_keys=True) + "\n")
            os.replace(made, target)
            return f"{tool.id}: installed from {record['source']}"
    raise Unavailable(
        f"{tool.id} cannot be fetched: " + "; ".join(reasons),
        "one of the sources in " + LOCK.name,
        "connect to the network and run: make setup-analysers",
    )


def _name(source: dict[str, Any]) -> str:
    return (
        source.get("url")
        or source.get("package")
        or "Debian packages " + ", ".join(source["packages"])
    )


def _check(tool: JavaTool, made: Path) -> str:
    """The digest of the jars; where the lock pins it, anything else is refused."""
    count = len(list((made / "lib").glob("*.jar")))
    digest = jars_digest(made)
    if count != tool.jars or (tool.jars_sha256 and digest != tool.jars_sha256):
        raise MtpeftError(
            f"{count} jars with digest {digest}", f"{tool.jars} jars with digest {tool.jars_sha256}"
        )
    return digest


def _verify(path: Path, expected: str) -> None:
    digest = sha256(path)
    if digest != expected:
        raise MtpeftError(
            f"{path.name} has SHA-256 {digest}", expected, "try again later; do not use the file"
        )


def _archive(source: dict[str, Any], work: Path) -> Path:
    # Next to the tools, so that the next run goes on where this one was cut off.
    path = paths.CACHE / "downloads" / source["sha256"]
    if offline():
        raise Unavailable("OFFLINE=1", source["url"], "run without OFFLINE=1")
    download(Wanted(source["url"], source["url"], source["sha256"]), path, POLICY)
    _verify(path, source["sha256"])
    with zipfile.ZipFile(path) as archive:
        archive.extractall(work / "unpacked")
    path.unlink()
    return work / "unpacked" / str(source["inside"])


def unpack_npm(source: dict[str, Any], work: Path) -> Path:
    """Fetch a package of npm's registry and unpack it, without running anything of it.

    Args:
        source: `package`, its `sha256`, and `inside`, the folder that is wanted.
        work: A scratch folder.

    Returns:
        That folder.

    Raises:
        MtpeftError: There is no npm, the package cannot be had, or it is another one.
    """
    if not shutil.which("npm"):
        raise MtpeftError("no npm")
    # `pack` only downloads the archive: no script of the package is ever run.
    _run(["npm", "pack", "--silent", "--ignore-scripts", source["package"]], work)
    path = next(work.glob("*.tgz"))
    _verify(path, source["sha256"])
    with tarfile.open(path) as archive:
        # Debian's Python 3.11.2 knows no filters; what is unpacked has the pinned hash either way.
        if hasattr(tarfile, "data_filter"):
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(work / "unpacked")
    return work / "unpacked" / str(source["inside"])


def _deb(source: dict[str, Any], work: Path) -> Path:
    if not shutil.which("apt-get"):
        raise MtpeftError("no apt-get")
    for package, digest in source["packages"].items():
        _run(["apt-get", "download", package], work)
        # Of the files in the folder, the new one is the package's: names on disk escape colons and
        # pluses differently.
        path = max(work.glob("*.deb"), key=lambda p: p.stat().st_mtime_ns)
        _verify(path, digest)
        _run(["dpkg-deb", "-x", str(path), str(work / "unpacked")], work)
        path.unlink()
    made = work / "made"
    (made / "lib").mkdir(parents=True)
    for jar in source["jars"]:
        shutil.copyfile(work / "unpacked" / "usr" / "share" / "java" / jar, made / "lib" / jar)
    return made


_FETCH = {"archive": _archive, "npm": unpack_npm, "deb": _deb}


def _run(command: list[str], work: Path) -> None:
    processes.run(command, cwd=work, seconds=_SECONDS, accept=(0,), fix="make setup-analysers")


def install_distributions(requirements: list[str], target: Path, name: str) -> None:
    """Install pinned distributions in a folder of their own.

    Args:
        requirements: With their hashes, as pip reads them.
        target: The folder.
        name: Of the tool, for messages.

    Raises:
        Unavailable: Pip cannot get them.
    """
    listed = target.parent / "requirements.txt"
    write_atomic(listed, "\n".join(requirements) + "\n")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    done = processes.run(
        [*pip, "--require-hashes", "--no-deps", "--target", target, "-r", listed], seconds=_SECONDS
    )
    listed.unlink()
    if done.code:
        raise Unavailable(
            f"{name} cannot be installed: {done.problem}",
            "the distributions of docker/locks",
            "connect to the network and run: make setup-analysers",
        )


def install_folder(name: str, fill: Callable[[Path], str]) -> str:
    """Put a tool in place that needs no check of its own. The folder is renamed when it is whole.

    Args:
        name: Of the folder.
        fill: Puts the tool's files into an empty folder and returns where they came from.

    Returns:
        What was done.
    """
    target = paths.tools() / "tools" / name
    if (target / "SOURCE.json").is_file():
        return f"{name}: in place"
    with held(target), scratch("tool", target.parent) as work:
        if (target / "SOURCE.json").is_file():
            return f"{name}: in place"
        made = work / "made"
        made.mkdir()
        source = fill(made)
        write_atomic(made / "SOURCE.json", json.dumps({"tool": name, "source": source}) + "\n")
        os.replace(made, target)
    return f"{name}: installed from {source}"
