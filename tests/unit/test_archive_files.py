"""T0 and the importer as a whole: damage to an archived file is caught and named; importing twice
gives the same bytes.
"""

import shutil
from dataclasses import replace

import pytest
from mtpeft.archive import sources
from mtpeft.archive.stage import import_archive
from mtpeft.core import checksums
from mtpeft.core.errors import BadInput
from mtpeft.core.paths import ARCHIVED, PUBLISHED
from mtpeft.core.records import Verdict, read_records
from mtpeft.verification import files
from upstream import DIALECT, OUTPUTS, SCORES, STUDY, write_upstream

# ---------------------------------------------------------------- T0 on a copy of what is shipped

ARCHIVED_FILES = [
    p.relative_to(folder.parent).as_posix()
    for folder in (ARCHIVED, PUBLISHED)
    for p in checksums.listed(folder)
]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for source in (ARCHIVED, PUBLISHED):
        shutil.copytree(source, folder / source.name)
    return folder


@pytest.fixture
def copy(pristine):
    """Give a file of the copy to a test, and put it back afterwards."""
    changed = []

    def one(name):
        path = pristine / name
        changed.append((path, path.read_bytes()))
        return path

    yield one
    for path, data in changed:
        path.write_bytes(data)


def findings(pristine):
    return [
        v
        for v in files.check((pristine / "archived", pristine / "published"))
        if v.verdict != "exact"
    ]


def test_what_is_shipped_is_whole(pristine):
    assert findings(pristine) == []
    assert (
        len(files.check((pristine / "archived", pristine / "published")))
        == len(ARCHIVED_FILES)
        >= 20
    )


def truncate(lines):
    return lines[:-1]


def cut_mid_line(lines):
    return [*lines[:-1], lines[-1][:-3]]


def edit_one_digit(lines):
    middle = len(lines) // 2
    return [
        *lines[:middle],
        lines[middle][:-2] + bytes([lines[middle][-2] ^ 1]) + lines[middle][-1:],
        *lines[middle + 1 :],
    ]


def reorder(lines):
    return [lines[0], lines[2], lines[1], *lines[3:]]


def duplicate_row(lines):
    return [*lines[:2], *lines[1:]]


def carriage_returns(lines):
    return [line.replace(b"\n", b"\r\n") for line in lines]


def empty(lines):
    return []


DAMAGE = (truncate, cut_mid_line, edit_one_digit, reorder, duplicate_row, carriage_returns, empty)


@pytest.mark.parametrize("name", ARCHIVED_FILES)
@pytest.mark.parametrize("damage", DAMAGE, ids=lambda d: d.__name__)
def test_damage_to_any_archived_file_is_caught_and_named(pristine, copy, name, damage):
    path = copy(name)
    before = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(damage(before)))
    (found,) = findings(pristine)
    assert found.id.endswith(name)
    assert found.reason.startswith("changed: ")
    changed = next(
        (i for i, (a, b) in enumerate(zip(before, damage(before), strict=False)) if a != b),
        len(damage(before)),
    )
    assert _covers(found.reason, changed + 1), (found.reason, changed + 1)


def _covers(reason, line):
    """Whether the lines that a reason names include `line`."""
    if "from" in reason:
        return line >= int(reason.split("from ")[1].split(" ")[0])
    first, last = (int(x) for x in reason.split("lines ")[1].split(",")[0].split("–"))
    return first <= line <= last


@pytest.mark.parametrize("name", ARCHIVED_FILES)
def test_a_deleted_file_is_named(pristine, copy, name):
    copy(name).unlink()
    (found,) = findings(pristine)
    assert found.id.endswith(name)
    assert found.reason == "missing"


def test_an_added_file_is_named(pristine):
    extra = pristine / "archived" / "multitask-qlora" / "scores" / "extra.csv"
    extra.write_text("x\n")
    try:
        (found,) = findings(pristine)
    finally:
        extra.unlink()
    assert found.reason == "not among the shipped files"
    assert found.id.endswith("extra.csv")


def test_the_last_of_several_changed_places_is_named_too(pristine, copy):
    path = copy("archived/multitask-qlora/scores/codebleu/translation-cs-java.csv")
    lines = path.read_bytes().splitlines(keepends=True)
    for i in (60, 260):
        lines[i] = lines[i].replace(b",ok,", b",empty,")
    path.write_bytes(b"".join(lines))
    (found,) = findings(pristine)
    assert found.reason == "changed: first difference in lines 51–100, last in lines 251–300"


def test_every_damaged_file_is_named_once_in_the_error(monkeypatch, tmp_path):
    good = Verdict("whole", "T0", "file", "", "1", "1", "", "", "exact")
    bad = [
        replace(good, id=name, verdict="differs", reason=why)
        for name, why in (("first", "missing"), ("second", "changed"))
    ]
    monkeypatch.setattr(files, "check", lambda: [good, *bad])
    monkeypatch.setattr(files, "REGENERATED", tmp_path)
    with pytest.raises(BadInput) as caught:
        files.check_and_write()
    assert caught.value.found == "first: missing; second: changed"
    assert len(read_records(tmp_path / "verification" / "files.csv", Verdict)) == 3


def test_a_damaged_list_of_checksums_is_an_error_not_a_pass(pristine, copy):
    sums = copy("archived/SHA256SUMS")
    sums.write_text(sums.read_text().replace("  ", " ", 1))
    with pytest.raises(BadInput, match="SHA256SUMS:1"):
        findings(pristine)
    sums.unlink()
    with pytest.raises(BadInput, match="no such file"):
        findings(pristine)


def test_a_file_struck_off_the_list_of_checksums_is_noticed(pristine, copy):
    sums = copy("archived/SHA256SUMS")
    sums.write_text("".join(sums.read_text().splitlines(keepends=True)[1:]))
    (found,) = findings(pristine)
    assert found.reason == "not among the shipped files"


# ---------------------------------------------------------------- the importer


@pytest.fixture
def imported(tmp_path, small, monkeypatch):
    upstream = write_upstream(tmp_path / "upstream")
    monkeypatch.setattr(
        sources, "pinned_path", lambda study: tmp_path / "published" / study / "sources.csv"
    )

    def run(repin=False):
        import_archive(STUDY, repin, upstream, tmp_path / "archived", tmp_path / "published", small)
        return {
            p.relative_to(tmp_path).as_posix(): p.read_bytes()
            for name in ("archived", "published")
            for p in sorted((tmp_path / name).rglob("*"))
            if p.is_file()
        }

    return upstream, run


def test_importing_twice_gives_the_same_bytes(imported):
    _, run = imported
    first = run(repin=True)
    assert set(first) >= {
        "archived/SHA256SUMS",
        "published/SHA256SUMS",
        "published/multitask-qlora/statistics.csv",
        "published/multitask-qlora/sources.csv",
        "archived/multitask-qlora/scores/counter/translation-cs-java.csv",
    }
    assert run() == first


def test_what_was_imported_passes_t0(imported, tmp_path):
    imported[1](repin=True)
    assert all(
        v.verdict == "exact" for v in files.check((tmp_path / "archived", tmp_path / "published"))
    )


SCORE_FILE, OUTPUT_FILE = (
    f"{SCORES}/exam/generation/java/r-exam_3b_mt-qlora.csv",
    f"{OUTPUTS}/lines_RAW.txt",
)


@pytest.mark.parametrize(
    "name, old, new",
    [
        (SCORE_FILE, "ab,1", "ab,0"),
        (SCORE_FILE, "\n", "\r\n"),
        (OUTPUT_FILE, "0.500000", "0.500001"),
    ],
)
def test_a_changed_upstream_file_is_refused_by_name(imported, name, old, new):
    upstream, run = imported
    before = run(repin=True)
    path = upstream / name
    path.write_bytes(path.read_text().replace(old, new).encode())
    with pytest.raises(BadInput, match="SHA-256") as error:
        run()
    assert error.value.path == path
    assert run(repin=True) != before


def test_a_missing_upstream_file_is_refused_by_name(imported):
    upstream, run = imported
    run(repin=True)
    gone = upstream / SCORES / "counter/translation/cs_java/r-cnt_ct_3b_mt-fft.csv"
    gone.unlink()
    with pytest.raises(BadInput, match="missing") as error:
        run()
    assert error.value.path == gone


def test_an_upstream_file_that_was_not_pinned_is_refused(imported):
    upstream, run = imported
    run(repin=True)
    (upstream / SCORES / "exam/generation/java/r-exam_3b_mt-fft.csv").write_text(
        "_id,passed\nab,1\n"
    )
    with pytest.raises(BadInput, match="not among"):
        run()


def test_a_refused_import_writes_nothing(imported, tmp_path):
    upstream, run = imported
    (upstream / SCORE_FILE).write_text("_id,passed\nab,x\n")
    with pytest.raises(BadInput):
        run(repin=True)
    assert not (tmp_path / "archived").exists() and not (tmp_path / "published").exists()


def test_a_mirror_without_the_study_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("MTPEFT_MIRROR", str(tmp_path))
    with pytest.raises(BadInput, match="no such folder in the mirror"):
        sources.upstream_root(DIALECT.UPSTREAM[0])
