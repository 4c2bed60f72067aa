"""The corpus of documented functions of installed packages."""

import os
from importlib.metadata import distribution

import pytest
from mtpeft.corpora import humaneval, load, packages
from mtpeft.corpora.near_duplicates import find

mirrored = pytest.mark.skipif(
    not os.environ.get("MTPEFT_MIRROR"),
    reason="the names of HumanEval, which the corpus leaves out, need MTPEFT_MIRROR",
)
PROMPTS = 'def add(a, b):\n    """Sum."""\n\ndef hasClose(x):\n    pass\n'
FILES = {
    "zeta/one.py": '''
class Shelf:
    @property
    def label(self) -> str:
        """The label that is printed on the shelf.

        Longer text.
        """
        return self.name.strip().title() + " (" + str(self.number) + ")"

    def has_close(self, other):
        """Whether another shelf stands near this one."""
        return abs(self.number - other.number) < 2 and self.name == other.name
''',
    "zeta/two.py": '''
def label_again(self) -> str:
    """What this does has too few."""
    return "x" * 60 + str(self.number) + "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"


def short(x):
    """A body that is much too short."""
    return x
''',
    "zeta/tests/three.py": '''
def label_in_a_test(self) -> str:
    """The label that is printed on the shelf."""
    return self.name.strip().title() + " (" + str(self.number) + ") in a test"
''',
    "zeta/template.py": "{{ no python }}",
}


class Fake:
    """What `importlib.metadata.distribution` returns, as far as the corpus looks."""

    def __init__(self, folder, order):
        self.folder, self.files = folder, [self.path(name) for name in order]

    @staticmethod
    def path(name):
        from importlib.metadata import PackagePath

        return PackagePath(name)

    def locate_file(self, path):
        return self.folder / path


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """One package whose files are listed in any order."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    row = {"prompt": PROMPTS, "entry_point": "has_close"}
    monkeypatch.setattr(humaneval, "read_rows", lambda: {"HumanEval/0": row})
    monkeypatch.setattr(packages, "packages", lambda: {"zeta": "1"})

    def found(order):
        packages.functions.cache_clear()
        monkeypatch.setattr(packages, "distribution", lambda _: Fake(tmp_path, order))
        return packages.functions()

    yield found
    packages.functions.cache_clear()


def test_functions_are_taken_apart_and_names_of_humaneval_left_out(installed):
    (one, two) = installed(list(FILES))
    assert one.signature == "def label(self) -> str"
    assert one.summary == "The label that is printed on the shelf."
    assert one.code.startswith("def label(self) -> str:\n    return self.name")
    assert two.signature == "def label_again(self) -> str"


def test_the_order_of_the_listing_changes_nothing(installed):
    assert installed(list(FILES)) == installed(list(reversed(FILES)))


def test_a_package_more_leaves_the_chosen_examples_as_they_are(monkeypatch):
    def function(package, number):
        return packages.Function(
            package, f"def f{number}()", f"def f{number}():\n    pass", "Does."
        )

    old = [function("alpha", n) for n in range(50)]
    monkeypatch.setattr(packages, "split_of", lambda _: "train")
    monkeypatch.setattr(packages, "functions", lambda: old)
    before = packages.examples("package-generation", "train", train=20)
    monkeypatch.setattr(packages, "functions", lambda: [*old, function("beta", 99)])
    after = packages.examples("package-generation", "train", train=20)
    assert len(before) == len(after) == 20
    assert len({e.id for e in before} & {e.id for e in after}) >= 19


@mirrored
def test_the_splits_share_no_package():
    names = {split: set() for split in ("train", "valid", "test")}
    for split, found in names.items():
        found.update(
            e.id.rpartition("-")[0] for e in load("miniature-qlora", "package-generation", split)
        )
    assert all(names.values())
    assert not names["train"] & names["test"] and not names["train"] & names["valid"]
    assert all(
        version == distribution(name).version for name, version in packages.packages().items()
    )


@mirrored
def test_no_near_duplicate_of_humaneval_is_trained_on():
    train = load("miniature-qlora", "package-generation", "train")
    assert not find(train, humaneval.examples("package-generation", "test"))
