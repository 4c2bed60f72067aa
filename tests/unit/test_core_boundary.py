"""Whatever ends a command, a person reads three parts and no traceback."""

import gzip
import json
import os
import subprocess
import sys
import zipfile
import zlib
from xml.etree import ElementTree

import pytest
from mtpeft.core import paths
from mtpeft.core.boundary import SHOW, explained
from mtpeft.core.errors import MtpeftError
from mtpeft.core.records import score_path
from mtpeft.core.text import first_line, one_line, printable, xml

FAULTS = {
    "full disk": OSError(28, "No space left on device", "/x/y"),
    "denied": PermissionError(13, "Permission denied", "/x/y"),
    "read-only": OSError(30, "Read-only file system", "/x/y"),
    "gone": FileNotFoundError(2, "No such file or directory", "/x/y"),
    "no name": OSError("something"),
    "too many files": OSError(24, "Too many open files"),
    "truncated gzip": EOFError("Compressed file ended before the end-of-stream marker"),
    "broken gzip": gzip.BadGzipFile("Not a gzipped file"),
    "broken data": zlib.error("Error -3"),
    "broken zip": zipfile.BadZipFile("File is not a zip file"),
    "undecodable": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    "unencodable": UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    "json": json.JSONDecodeError("Expecting value", "", 0),
    "deep": RecursionError("maximum recursion depth exceeded"),
    "memory": MemoryError(),
    "fault": KeyError("hidden_size"),
    "said with control characters": ValueError("\x1b]0;pwned\x07"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_has_three_parts_and_exit_code_2(fault):
    try:
        raise fault
    except Exception as error:
        told = explained(error)
    assert told.found and told.expected and told.fix and told.exit_code == 2


def test_words_of_a_library_are_not_taken_for_a_path():
    """The hub's client raises an OSError without a file for an empty name."""
    try:
        raise OSError("Repo id must use alphanumeric chars")
    except OSError as error:
        told = explained(error)
    assert "Repo id" in told.found and "ls -ld" not in told.fix


@pytest.mark.parametrize(
    ("told", "fix"),
    [
        ("Error while serializing: I/O error: No space left on device (os error 28)", "df -h"),
        ("I/O error: Permission denied (os error 13)", "MTPEFT_OUT"),
        (
            "[enforce fail] . PytorchStreamWriter failed writing file data/0: file write failed",
            "df -h",
        ),
        ("[enforce fail at inline_container.cc:672] . unexpected pos 6400 vs 6292", "df -h"),
        ("could not write: Read-only file system", "MTPEFT_OUT"),
        ("write failed: Disk quota exceeded", "df -h"),
    ],
)
def test_a_library_of_another_language_hides_a_full_disk(told, fix):
    error = explained(RuntimeError(told))
    assert error.fix.startswith(fix) and "fault of this package" not in error.found


def test_a_deliberate_error_stays_as_it_is():
    error = MtpeftError("3 apples", "4 apples", "make apples")
    assert explained(error) is error


def test_a_fault_of_the_package_names_the_line_of_the_package_that_it_passed():
    try:
        score_path(paths.ROOT, None, "x")  # type: ignore[arg-type]
    except Exception as error:
        assert "core/names.py:" in explained(error).found


def test_a_traceback_is_there_for_who_asks_for_it(mtpeft, tmp_path):
    (tmp_path / "x.jsonl").mkdir()  # a folder where a file is expected
    quiet = mtpeft("score", str(tmp_path / "x.jsonl"), "lizard")
    assert quiet.returncode == 2 and "Traceback" not in quiet.stderr
    assert "  expected: " in quiet.stderr and "  to fix:   " in quiet.stderr


@pytest.mark.parametrize("text", ["\x1b]0;pwned\x07", "a\rb", "a\x9bx", "a\u202eb", "\ud800"])
def test_nothing_from_outside_commands_the_terminal(text):
    assert printable(text).isprintable() and one_line(f"a\n{text}").isprintable()


def test_ordinary_text_is_shown_as_it_is():
    assert printable("größe Δ\n\tx") == "größe Δ\n\tx"


def test_xml_holds_no_character_that_xml_cannot():
    every = "".join(map(chr, range(0x300))) + "\ud800\ufffe\uffff\U0001f600"
    element = ElementTree.Element("x", name=xml(every))
    element.text = xml(every)
    data = ElementTree.tostring(element, encoding="utf-8")
    found = ElementTree.fromstring(data).text or ""
    assert "\U0001f600" in found and "\ufffd" in found and "a" in found


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_output_cannot_show_is_replaced(encoding):
    code = (
        "import sys; from mtpeft.cli import main; import mtpeft.cli as c\n"
        "c.app = lambda **named: print('Δ = 3 –')\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding},
    )
    shown = "Δ = 3 –" if encoding == "utf-8" else "\\u0394 = 3 \\u2013"
    assert (done.returncode, done.stdout.decode(encoding), done.stderr) == (0, f"{shown}\n", b"")


def test_a_reader_that_has_seen_enough_is_no_fault():
    code = (
        "import sys; from mtpeft.cli import main; import mtpeft.cli as c\n"
        "def app(**named):\n    for n in range(10**6): print(n)\n"
        "c.app = app\nmain()"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert writer.stdout is not None and writer.stderr is not None
    writer.stdout.readline()
    writer.stdout.close()
    assert writer.stderr.read() == b"" and writer.wait() == 141
    writer.stderr.close()


@pytest.mark.parametrize("run", ["../../escaped", "/etc", "a/../../b", ""])
def test_no_run_leads_out_of_the_output_folder(run):
    with pytest.raises(MtpeftError, match="run "):
        paths.seed_folder("fast", run, 42)


def test_no_tool_or_evaluation_set_leads_out_of_the_scores():
    for names in (("../x", "y"), ("x", "../../y"), ("x", "a/b")):
        with pytest.raises(MtpeftError):
            score_path(paths.REGENERATED, *names)


def test_a_catalog_id_that_is_no_name_is_refused_with_file_and_line(mtpeft, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "x.yaml").write_text(
        "- id: ../../../escaped-run\n  backbone: qwen2.5-coder-0.5b\n  method: lora\n"
        "  tasks: [generation]\n  regime: mt\n"
    )
    done = mtpeft("list", "runs", MTPEFT_CATALOG=str(tmp_path))
    assert done.returncode == 2 and "x.yaml:1" in done.stderr and "escaped-run" in done.stderr


def test_the_name_of_a_comparison_does_not_lead_elsewhere(mtpeft, tmp_path):
    for name in ("../../../escaped-name", "a\x1b]0;x\x07"):
        done = mtpeft("verify", "predictions", "a.jsonl", "b.jsonl", "--name", name)
        assert done.returncode == 2 and "--name" in done.stderr and "\x1b" not in done.stderr


def test_the_variable_that_shows_tracebacks_is_named_in_the_message():
    assert SHOW in explained(KeyError("x")).fix


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError(), "RuntimeError"),
        (RuntimeError("\n \n"), "RuntimeError"),
        (OSError("\nno model\nat all"), "no model"),
    ],
)
def test_an_error_without_words_is_named_by_its_kind(error, line):
    assert first_line(error) == line
