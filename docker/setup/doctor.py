"""Check a machine before anything is installed: what is there, what is missing, what gets it.

Runs on any Python 3 with the standard library alone. Every line is a check: a version that is
required is compared, and what `make` would install by itself counts as there only where this user
may install it. Exit code 0: `make reproduce-all` can run; 2: it cannot.
"""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEEDED = "reproduce-all"


def said(command, *arguments):
    """First line that a program prints of its version; None where it is not there or fails."""
    if not shutil.which(command):
        return None
    try:
        done = subprocess.run(
            [command, *(arguments or ("--version",))],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return ((done.stdout or done.stderr).strip().splitlines() or [""])[0] or None


def numbers(text):
    """The first version number in a text as integers, or None."""
    found = re.search(r"\d+(?:\.\d+)+|\d+", text or "")
    return tuple(map(int, found.group().split("."))) if found else None


def at_least(least, text):
    """The text, where it names this version or a later one."""
    found = numbers(text)
    return text if found and found >= least else None


def wanted():
    """Whether docker/setup/need.sh would install: `yes`, `no`, or `asks` at a terminal."""
    told = {"1": "yes", "0": "no"}.get(os.environ.get("INSTALL", ""))
    try:
        first = Path("/proc/1/comm").read_text().strip()
    except OSError:
        first = "init"
    if told or first not in ("systemd", "init"):
        return told or "yes"
    return "asks" if sys.stdin is not None and sys.stdin.isatty() else "no"


def may_install():
    """Whether this user may install packages of the system, as docker/setup/need.sh has it."""
    if not shutil.which("apt-get"):
        return False
    if os.geteuid() == 0:
        return True
    if not shutil.which("sudo"):
        return False
    try:
        return (
            subprocess.run(["sudo", "-n", "true"], capture_output=True, timeout=30).returncode == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def candidate(package):
    """The version of a package that this system would install, where its lists know one."""
    if not shutil.which("apt-cache"):
        return None
    done = subprocess.run(
        ["apt-cache", "policy", package], capture_output=True, text=True, timeout=30, check=False
    )
    found = re.search(r"Candidate: *(?:\d+:)?(\d\S*)", done.stdout)
    return found.group(1) if found else None


def writable(path):
    """Whether this user can make files at a path, or at the nearest folder above it."""
    path = Path(path).expanduser()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path.is_dir() and os.access(str(path), os.W_OK | os.X_OK)


def system(what, command, least, package, text=None):
    """(what, found or None, fix) of a system's program of which `make` needs a version."""
    text = text or said(command)
    if at_least(least, text):
        return what, text, ""
    if text:
        # Another version does not become right by installing: the system's package is what is there.
        return what, None, f"found {text}; install a later one so that it comes first on the PATH"
    offered = candidate(package)
    if offered and numbers(offered) and numbers(offered) < least:
        return what, None, f"this system offers {offered}; install a later one by hand"
    if may_install():
        how = {"yes": "installs it", "asks": "asks whether to install it"}.get(wanted())
        if how:
            return what, f"not yet; make {how} (apt-get install {package})", ""
        return what, None, f"make INSTALL=1, or apt-get install {package}"
    return (
        what,
        None,
        "sudo apt-get update && sudo apt-get install -y --no-install-recommends " + package,
    )


def torch_build():
    """`cuda` or `cpu`: the build of torch in the environment; None where there is none."""
    venv = Path(os.environ.get("VENV") or ROOT / ".venv")
    for path in venv.glob("lib/python3*/site-packages/torch/version.py"):
        return "cuda" if re.search(r"^cuda.*= *'", path.read_text(), re.MULTILINE) else "cpu"
    return None


def checks():
    """(needed for, what, found or None, command that fixes it)."""
    python = platform.python_version()
    right = python if (3, 11) <= sys.version_info < (3, 14) else None
    fix = (
        f"found {python}; make PYTHON=/path/to/python3.11, or apt-get install python3 python3-venv"
    )
    yield NEEDED, "Python 3.11 to 3.13", right, fix
    venv = (
        "yes"
        if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv")
        else None
    )
    yield NEEDED, "Python's venv module", venv, "apt-get install python3-venv"
    make = said("make")
    gnu = at_least((4,), make) if make and "GNU" in make else None
    yield (
        NEEDED,
        "GNU make 4 or later",
        gnu,
        "%sapt-get install make" % (f"found {make}; " if make else ""),
    )
    yield (NEEDED, *system("R 4.2 or later", "R", (4, 2), "r-base-core"))
    for name, default in (
        ("VENV", ROOT / ".venv"),
        ("MTPEFT_OUT", ROOT / "results" / "regenerated"),
    ):
        place = os.environ.get(name) or str(default)
        yield (
            NEEDED,
            f"a place for {name}",
            place if writable(place) else None,
            f"{place} cannot be written: {name}=/another/folder make …",
        )
    place = os.environ.get("VENV") or str(ROOT)
    while not os.path.exists(place):
        place = os.path.dirname(os.path.abspath(place))
    free = shutil.disk_usage(place).free / 1e9
    yield (
        NEEDED,
        "1 GB of free disk",
        f"{free:.1f} GB" if free > 1 else None,
        f"only {free:.1f} GB: free some",
    )
    yield (
        "archive, predictions",
        "git 2.25 or later",
        at_least((2, 25), said("git")),
        "apt-get install git",
    )
    mirror = os.environ.get("MTPEFT_MIRROR")
    there = mirror if mirror and os.path.isdir(mirror) else None
    yield (
        "re-scoring without network",
        "a mirror of upstream files",
        there,
        "%sset MTPEFT_MIRROR (optional)" % (f"{mirror} is not a directory; " if mirror else ""),
    )
    if sys.version_info >= (3, 13):
        yield (
            "scoring (tree-sitter is compiled)",
            "a C compiler",
            said("cc"),
            "apt-get install gcc libc6-dev, or make PYTHON=/path/to/python3.12",
        )
    yield (
        "Java metrics",
        "JDK 17 or later",
        at_least((17,), said("javac", "-version")),
        "apt-get install openjdk-17-jdk-headless",
    )
    yield (
        "PMD's download",
        "npm",
        said("npm"),
        "apt-get install npm (optional: PMD has other sources)",
    )
    yield (
        "C# metrics in the study's version",
        ".NET SDK 9.0.300 or later (Roslyn 4.14.0)",
        at_least((9,), said("dotnet")),
        "install the .NET 9 SDK (optional: Roslyn 4.8.0 needs none)",
    )
    browser = next(
        (t for t in map(said, ("chromium", "chromium-browser", "google-chrome")) if t), None
    )
    yield (
        "browser tests",
        "Chromium",
        browser,
        "apt-get install chromium (without it they are skipped)",
    )
    driver = said("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    yield (
        "training at scale",
        "NVIDIA GPU, driver 580 or later (CUDA 13)",
        at_least((580,), driver),
        f"found driver {driver}; install a later one"
        if driver
        else "none: smoke runs and tests use the CPU",
    )
    build = torch_build()
    if build:
        right = build == "cuda" or not driver
        yield (
            "training at scale",
            "torch's build suits this machine",
            build if right else None,
            "the CPU build, and there is a GPU; MTPEFT_TORCH=cuda make {}/.train".format(
                os.environ.get("VENV") or ".venv"
            ),
        )
    # A client without its daemon answers --version, and builds nothing.
    engine = next((t for t in ("docker", "podman", "buildah") if said(t, "info")), None)
    yield "images", "container tool", engine, "apt-get install buildah"


def main():
    """Print the table; exit code 2 where reproduce-all cannot run."""
    missing = []
    for needed, what, found, fix in checks():
        if found is None and needed == NEEDED:
            missing.append(what)
        state = "ok  " if found else "MISS"
        print(f"{state}  {what:28} {found or fix:60}  ({needed})")
    if missing:
        print("make reproduce-all cannot run here yet: {}".format(", ".join(missing)))
    else:
        print("what make reproduce-all needs of this machine is there")
    sys.exit(2 if missing else 0)


if __name__ == "__main__":
    main()
