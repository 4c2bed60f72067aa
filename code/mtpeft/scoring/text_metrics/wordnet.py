"""WordNet 3.0 without a download from NLTK: Debian's two packages plus the one small file that they
leave out.

NLTK's reader wants `lexnames`, the list of lexicographer files, which Debian does not ship; its 45
lines are described in the manual page lexnames(5WN) of the same package and are generated here.
"""

import hashlib
import shutil
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.files import scratch, write_atomic
from mtpeft.core.locks import held
from mtpeft.core.processes import run

DEBIAN_FOLDER = Path("/usr/share/wordnet")
PACKAGES = ("wordnet-base", "wordnet-sense-index")

# The lexicographer files in the order of the manual page, by part of speech (its number in
# WordNet's files).
_ADJECTIVE, _ADVERB, _NOUN, _VERB = 3, 4, 1, 2
_NOUN_FILES = """Tops act animal artifact attribute body cognition communication event feeling food group location motive
    object person phenomenon plant possession process quantity relation shape state substance time"""
_VERB_FILES = """body change cognition communication competition consumption contact creation emotion motion perception
    possession social stative weather"""
_LEXICOGRAPHER_FILES = (
    ("adj", "all pert", _ADJECTIVE),
    ("adv", "all", _ADVERB),
    ("noun", _NOUN_FILES, _NOUN),
    ("verb", _VERB_FILES, _VERB),
    ("adj", "ppl", _ADJECTIVE),
)

# SHA-256 of what WordNet 3.0 as Debian ships it (1:3.0-37) must contain.
FILES = {
    "adj.exc": "8824cc24bbedd797b9702316b27f07cd4c2b76b629539f0a1276f03926758016",
    "adv.exc": "e7291461b629abfe63301bbe1998cee09fd575ed7107abd7ea9763adb05bf0a8",
    "cntlist.rev": "a198580b8f705fa02797bba8b13e5cbe4a9f9f40cb1697e774c7fc6a5865b035",
    "data.adj": "c89120dfc1f046ddff4a631bf9b7e9fa1a36b5e86565a23bf82dbe14f30b88a7",
    "data.adv": "444a63bf3955080ab7524f5079cfc07ff9bc682cb98bdb1db73b0fb9829f1139",
    "data.noun": "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2",
    "data.verb": "adcf43e35b581e8036d8b5a52d63d9cd3d3b4870b2720d3c03c799df44777bc2",
    "index.adj": "c9865d7b4d1f805bdef82ccdcea5282436e23083e6f6f1b33e716327c4eda810",
    "index.adv": "6f5465ed5758fe9c8a2f7ec17b1300f3aa875756c70ff7cba162f7e71bcf88ea",
    "index.noun": "a490d99d93d017bf4822fe2f0ffa51fd73911ce271dc7535fade21f8814b5a04",
    "index.sense": "ce997000ec806318ff1dfadf77d314ac527358e127d7bbe3d1f4e83a1c5c1c2b",
    "index.verb": "e2ac24816c3a8289dcb72aaa9cf8db81fdf25ec34d792bfc96ac5b7a20c8b4ae",
    "noun.exc": "2b5d675c380b39ecf595af9fa9d4e7feb1d58c643b0bff08c40ed5bfe41fab7a",
    "verb.exc": "dbbcf9a601b2d77e934e413b91d90e88ec7f933a8b77cfc00602a923b891b42c",
}


def lexnames() -> str:
    """The file `lexnames`: number, name and part of speech of each lexicographer file,
    tab-separated.
    """
    names = [
        (f"{prefix}.{name}", part)
        for prefix, group, part in _LEXICOGRAPHER_FILES
        for name in group.split()
    ]
    return "".join(f"{number:02d}\t{name}\t{part}\n" for number, (name, part) in enumerate(names))


def wordnet_folder() -> Path:
    """Where `setup_wordnet` puts WordNet, in the layout of an NLTK data folder."""
    return paths.tools() / "nltk_data" / "corpora" / "wordnet"


def setup_wordnet(source: Path | None = None) -> Path:
    """Build the WordNet folder, if it is not there. Every file is checked against its SHA-256.

    Args:
        source: A folder with WordNet's files; default: Debian's where the packages are installed,
            else the packages are fetched by apt and unpacked without installing them.

    Returns:
        The folder.

    Raises:
        Unavailable: No source is available.
        MtpeftError: A file differs.
    """
    folder = wordnet_folder()
    if (folder / "lexnames").is_file():
        return folder
    with held(folder), scratch("wordnet") as work:
        origin = source or _origin(work)
        folder.mkdir(parents=True, exist_ok=True)
        for name, expected in FILES.items():
            if not (origin / name).is_file():
                raise Unavailable(
                    f"{origin} has no {name}",
                    "the files of WordNet 3.0",
                    f"apt-get install {' '.join(PACKAGES)}",
                )
            data = (origin / name).read_bytes()
            found = hashlib.sha256(data).hexdigest()
            if found != expected:
                raise MtpeftError(
                    f"{origin / name} has SHA-256 {found}",
                    expected,
                    "use WordNet 3.0 as Debian 12 ships it",
                )
            write_atomic(folder / name, data)
    # Last, so that its presence says that the folder is whole.
    write_atomic(folder / "lexnames", lexnames())
    return folder


def _origin(work: Path) -> Path:
    if all((DEBIAN_FOLDER / name).is_file() for name in FILES):
        return DEBIAN_FOLDER
    fix = f"apt-get install {' '.join(PACKAGES)}, then make setup-analysers"
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise Unavailable(
            "WordNet is not installed, and this machine has no apt", "WordNet 3.0", fix
        )
    try:
        run(["apt-get", "download", *PACKAGES], cwd=work, seconds=300, accept=(0,))
        for package in sorted(work.glob("*.deb")):
            run(["dpkg-deb", "-x", package, work], seconds=60, accept=(0,))
    except MtpeftError as error:
        raise Unavailable(
            f"WordNet cannot be fetched: {error.found}", "WordNet 3.0", fix
        ) from error
    return work / "usr" / "share" / "wordnet"


@cache
def wordnet() -> Any:
    """NLTK's reader over the WordNet folder.

    Raises:
        Unavailable: The folder has not been set up.
    """
    folder = wordnet_folder()
    if not (folder / "lexnames").is_file():
        raise Unavailable(
            "WordNet is not set up", f"WordNet 3.0 in {paths.shown(folder)}", "make setup-analysers"
        )
    import nltk.data
    from nltk.corpus.reader import WordNetCorpusReader

    # NLTK reads corpora only below the folders on its path.
    nltk.data.path.insert(0, str(folder.parent.parent))
    with warnings.catch_warnings():
        # The multilingual part, which is absent on purpose.
        warnings.filterwarnings("ignore", message="The multilingual functions are not available")
        return WordNetCorpusReader(str(folder), None)
