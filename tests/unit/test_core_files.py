"""Files whole or not at all, one notion of a line, names that stay inside, nothing left behind."""

import bz2
import errno
import gzip
import lzma
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mtpeft.core import files
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.files import (
    append_lines,
    json_objects,
    lines,
    no_file,
    no_folder,
    read_bytes,
    read_text,
    record_lines,
    scratch,
    text_lines,
    write_atomic,
)
from mtpeft.core.names import safe_name, safe_path


@pytest.fixture(autouse=True)
def _new_process(monkeypatch):
    """As if nothing had been swept yet."""
    monkeypatch.setattr(files, "_swept", set())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\n\nb\n", [b"a", b"", b"b"]),
        (
            b"a\rx\nb\x0c\x0b\x1c\xc2\x85\xe2\x80\xa8\n",
            [b"a\rx", b"b\x0c\x0b\x1c\xc2\x85\xe2\x80\xa8"],
        ),
    ],
)
def test_only_lf_ends_a_line_and_the_last_one_needs_no_end(data, expected):
    assert lines(data) == expected
    assert text_lines(data.decode()) == [line.decode() for line in expected]


def killed(code: str, *arguments: str) -> int:
    """Run code that kills itself; returns its pid."""
    top = str(Path(__file__).resolve().parents[2] / "code")
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=os.environ | {"PYTHONPATH": top}
    )
    assert process.wait() == -signal.SIGKILL
    return process.pid


@pytest.fixture
def odd(tmp_path):
    """Paths at which something lies that is no file."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "file").write_text("x")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
    return tmp_path


ODD = {
    "folder": "a folder, not a file",
    "pipe": "a pipe, which can be read once only",
    "device": "a device, not a file",
    "socket": "a socket, not a file",
    "loop": "a link that leads back to itself",
    "dangling": "a link to nowhere, which is not there",
    "file/x": "no such file: a part of the path is a file, not a folder",
    "none": "no such file",
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_file_is_called_one_or_waited_for(odd, name):
    assert no_file(odd / name, "a table").found == f"{odd / name}: {ODD[name]}"
    with pytest.raises(MtpeftError):
        read_bytes(odd / name)


@pytest.mark.parametrize("name", [*ODD, "x" * 300])
def test_what_is_no_folder_is_called_none(odd, name):
    """A name that no file system holds was a traceback; below a file, no *file* was missed."""
    said = {
        "loop": ODD["loop"],
        "dangling": ODD["dangling"],
        "file/x": "no such folder: a part of the path is a file, not a folder",
        "none": "no such folder",
        "folder": "a file, not a folder",
        **dict.fromkeys(("pipe", "device", "socket"), "a pipe, a socket or a device, not a folder"),
    }.get(name, "cannot be looked at: File name too long")
    place = odd / name if name != "folder" else odd / "file"
    assert no_folder(place, "a folder").found == f"{place}: {said}"


@pytest.mark.parametrize("name", ["folder", "pipe", "device", "socket"])
@pytest.mark.parametrize("write", [write_atomic, lambda path, text: append_lines(path, [text])])
def test_a_file_takes_the_place_of_something_else(odd, name, write):
    before = os.lstat(odd / name).st_mode
    with pytest.raises(MtpeftError, match=f"cannot write .*{name}: {ODD[name]}"):
        write(odd / name, "text")
    assert os.lstat(odd / name).st_mode == before


def test_what_a_kill_while_writing_left_goes_at_the_next_start(tmp_path):
    code = (
        "import os, signal, sys, pathlib; from mtpeft.core import files\n"
        "files.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "files.write_atomic(pathlib.Path(sys.argv[1]), 'new')"
    )
    (tmp_path / "x.csv").write_text("old")
    killed(code, str(tmp_path / "x.csv"))
    assert (tmp_path / "x.csv").read_text() == "old" and len(list(tmp_path.iterdir())) == 2
    write_atomic(tmp_path / "y.csv", "y")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.csv", "y.csv"]


def test_a_temporary_folder_of_a_killed_process_goes_at_the_next_start(tmp_path):
    code = (
        "import os, signal, sys, pathlib; from mtpeft.core.files import scratch\n"
        "with scratch('pylint', pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'deep').mkdir(); (folder / 'deep' / 'x').write_text('x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed(code, str(tmp_path))
    assert len(list(tmp_path.iterdir())) == 1
    with scratch("pylint", tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []


def test_what_a_living_process_or_another_machine_works_on_stays(tmp_path):
    mine = f"mtpeft-java-{files._HOST}.{os.getpid()}-abc"
    theirs = "mtpeft-java-00000000.999999999-abc"
    kept = [mine, theirs, f".x.{files._HOST}.{os.getppid()}.part", "mtpeft-notes", ".x.part"]
    for name in kept:
        (tmp_path / name).mkdir()
    with scratch("java", tmp_path):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(kept)


def test_an_appended_line_begins_on_a_line_of_its_own(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b": ')
    append_lines(path, ['{"c": 3}'])
    assert path.read_bytes() == b'{"a": 1}\n{"c": 3}\n'
    path.write_bytes(b'{"a": 1}')
    append_lines(path, ['{"c": 3}'])
    assert path.read_bytes() == b'{"a": 1}\n{"c": 3}\n'


@pytest.mark.parametrize("write", [write_atomic, lambda path, text: append_lines(path, [text])])
def test_a_full_disk_is_an_error_with_its_three_parts(tmp_path, monkeypatch, write):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(MtpeftError, match="No space left") as error:
        write(tmp_path / "x", "text")
    assert error.value.expected == "free disk space" and error.value.fix.startswith("df -h")


def test_text_that_utf8_cannot_hold_is_named(tmp_path):
    with pytest.raises(MtpeftError, match=r"before \\ud800 after' is no valid Unicode"):
        write_atomic(tmp_path / "x", "before \ud800 after")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["truncated", "no gzip", "broken inside"])
def test_damaged_gzip_data_is_an_error_that_names_the_file(tmp_path, damage):
    whole = gzip.compress(os.urandom(5000))
    data = {
        "truncated": whole[:2000],
        "no gzip": b"plain text",
        "broken inside": whole[:9] + b"\xff" * 50,
    }
    (tmp_path / "x.gz").write_bytes(data[damage])
    with pytest.raises(BadInput, match="x.gz: damaged gzip data") as error:
        read_bytes(tmp_path / "x.gz")
    assert error.value.expected and error.value.fix


def test_text_that_is_not_utf8_is_refused_with_its_line(tmp_path):
    (tmp_path / "x").write_bytes(b"a\nb\nc\xff\n")
    with pytest.raises(BadInput, match="x:3: byte 0xff is not UTF-8"):
        read_text(tmp_path / "x")


def test_reading_keeps_carriage_returns(tmp_path):
    (tmp_path / "x").write_bytes(b"a\r\nb\rc\n")
    assert read_text(tmp_path / "x") == "a\r\nb\rc\n"


@pytest.mark.parametrize(
    "name",
    ["..", ".", "", "a/b", "/a", "a b", "a\x00", "a\n", "\x1b]0;x\x07", "-x", "~x", "ü", "x" * 201],
)
def test_a_name_that_could_lead_elsewhere_is_refused(name):
    with pytest.raises(MtpeftError, match="^name "):
        safe_name(name, "name")


@pytest.mark.parametrize("name", ["../x", "a/../b", "a//b", "a/", "/a", "a/.b"])
def test_a_path_of_names_cannot_climb(name):
    with pytest.raises(MtpeftError):
        safe_path(name, "run")


def test_names_in_use_are_allowed():
    assert safe_path("qwen2.5-coder-1.5b/mt-qlora", "run") == "qwen2.5-coder-1.5b/mt-qlora"
    assert safe_name("flaky-detection_2.own", "task") == "flaky-detection_2.own"


TWO = b'{"a": 1}\n{"a": 2}\n'


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (gzip.compress(TWO), "gzip data"),
        (bz2.compress(TWO), "bzip2 data"),
        (lzma.compress(TWO), "xz data"),
        (TWO.decode().encode("utf-16"), "UTF-16 text"),
        (TWO.decode().encode("utf-32"), "UTF-32 text"),
        (b'[{"a": 1},\n {"a": 2}]\n', "one JSON array over all of its lines"),
        (b'{\n "a": 1\n}\n', "one JSON object over all of its lines"),
        (TWO.replace(b"\n", b"\r"), "lines that end in a carriage return alone"),
    ],
    ids=["gzip", "bzip2", "xz", "UTF-16", "UTF-32", "array", "object", "CR"],
)
def test_another_form_of_file_is_said_once_with_what_makes_lines_of_it(tmp_path, data, found):
    path = tmp_path / "an answer's file"
    path.write_bytes(data)
    with pytest.raises(BadInput) as error:
        list(record_lines(path))
    assert error.value.found.endswith(f": {found}")
    if "python3" in error.value.fix:
        subprocess.run(error.value.fix, shell=True, check=True, cwd=tmp_path)
        made = next(tmp_path.glob("*.jsonl"))
        assert [n for n, _ in record_lines(made)] == list(range(1, 1 + data.count(b"a")))


def test_a_mark_and_a_missing_end_change_nothing(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"a": 1}\r\n\n{"a": 2}')
    assert [line.strip() for _, line in record_lines(path)] == [b'{"a": 1}', b"", b'{"a": 2}']
    assert [n for n, _ in json_objects(path, ["a"])] == [1, 3]


def test_bad_json_on_one_line_stays_an_error_of_that_line(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1\n{"a": 2}\n')
    assert [n for n, _ in record_lines(path)] == [1, 2]


def test_a_full_disk_of_temporary_files_passes_for_another_fault(tmp_path, monkeypatch):
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with (
        pytest.raises(MtpeftError, match="No space left on device") as told,
        scratch("r", tmp_path),
    ):
        pass
    assert told.value.fix.startswith("df -h") and not list(tmp_path.iterdir())


@pytest.mark.parametrize("line", ['{"a": 1, "b": 2, "a": 3}', '{"a": {"c": 1, "c": 1}, "b": 2}'])
def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path, line):
    path = tmp_path / "records.jsonl"
    path.write_text('{"a": 1, "b": 2}\n' + line + "\n")
    with pytest.raises(BadInput, match=r"records\.jsonl:2: .*the key '[ac]' twice"):
        list(files.json_objects(path, ["a", "b"], "correct it"))
