"""Where things are. The only module that knows the layout of the repository.

Environment: MTPEFT_ROOT (repository; default: found from this file), MTPEFT_OUT (what runs write;
default results/regenerated), MTPEFT_MIRROR (local copy of upstream files, optional), MTPEFT_CACHE
(downloads; default data/cache), MTPEFT_TOOLS (analysers; default in the cache).
"""

import os
from pathlib import Path

from mtpeft.core.errors import MtpeftError
from mtpeft.core.names import safe_name, safe_path


def _from_environment(name: str, default: Path) -> Path:
    value = os.environ.get(name)
    return _whole(value) if value else default


def _whole(path: str) -> Path:
    """A path without links and `~`. No error for a loop of links or an unknown user: whoever reads or
    writes there says what is wrong.
    """
    return Path(os.path.realpath(os.path.expanduser(path)))


ROOT = _from_environment("MTPEFT_ROOT", Path(__file__).resolve().parents[3])
ARCHIVED = ROOT / "results" / "archived"
PUBLISHED = ROOT / "results" / "published"
REGENERATED = _from_environment("MTPEFT_OUT", ROOT / "results" / "regenerated")
CATALOG = Path(__file__).resolve().parents[1] / "catalog"
STUDIES = Path(__file__).resolve().parents[1] / "studies"
STATS = ROOT / "stats"
DATA = ROOT / "data"
CACHE = _from_environment("MTPEFT_CACHE", DATA / "cache")

CALIBRATION = "calibration.json"
"""How probabilities of a trained run are calibrated, in the folder of its seed or its export."""


def need_repository() -> None:
    """Refuse to work beside an installed package that was taken for a repository.

    Raises:
        MtpeftError: ROOT has neither the archive nor the R functions, locks and manifest.
    """
    if not (STATS.is_dir() and (DATA / "manifest.toml").is_file()):
        raise MtpeftError(
            f"{ROOT} is no repository of mtpeft: the installed package has neither archive, R functions, locks nor manifest",
            "a clone of the repository, which the package works in",
            "MTPEFT_ROOT=/path/to/the/clone mtpeft …, or type .venv/bin/mtpeft in the clone",
        )


def mirror() -> Path | None:
    """The local mirror of upstream files (OWNER/REPOSITORY/COMMIT/PATH), or None where none is
    named.

    Raises:
        MtpeftError: MTPEFT_MIRROR names no folder.
    """
    value = os.environ.get("MTPEFT_MIRROR")
    if not value:
        return None
    path = _whole(value)
    if not path.is_dir():
        raise MtpeftError(
            f"MTPEFT_MIRROR names {value}, which is not a directory",
            "a folder laid out as OWNER/REPOSITORY/COMMIT/PATH",
            "unset MTPEFT_MIRROR, or point it at the mirror",
        )
    return path


def tools() -> Path:
    """Where the analysers are that are no Python packages (`tools`) and WordNet (`nltk_data`):
    MTPEFT_TOOLS, as in the images, else the cache.
    """
    return _from_environment("MTPEFT_TOOLS", CACHE)


def seed_folder(profile: str, run: str, seed: int, root: Path | None = None) -> Path:
    """Everything of one run under one training profile and seed: adapter, curves, and a folder of
    answers for each inference profile, with `predictions/<evaluation>.jsonl` and
    `scores/<tool>/<evaluation>.csv`.
    """
    place = safe_name(profile, "profile"), safe_path(run, "run"), f"seed-{seed}"
    return (root or REGENERATED / "training").joinpath(*place)


def answers_folder(seed: Path, inference: str) -> Path:
    """Where the answers and scores of a seed lie: below its inference profile, or, where trained heads
    answered, beside them.
    """
    place = seed / safe_name(inference, "profile")
    return place if place.is_dir() else seed


def shown(path: Path) -> str:
    """`path` as people should read it: relative to the repository where it lies inside, without signs
    that a terminal would obey or UTF-8 cannot hold.
    """
    try:
        name = Path(os.path.realpath(path)).relative_to(ROOT).as_posix()
    except ValueError:
        name = str(path)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
