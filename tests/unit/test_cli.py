"""The command line: errors in three parts and no traceback, exit codes that scripts can rely on."""

import os
import re
import sys

import pytest
from mtpeft.cli import app
from mtpeft.core.errors import MtpeftError


def refused(done):
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_deliberate_error_has_three_parts_and_no_traceback(mtpeft):
    text = refused(mtpeft("verdict"))
    assert text.startswith("mtpeft: ")
    assert "verdicts.csv: no such file" in text
    assert "  expected: " in text and "  to fix:   " in text


@pytest.mark.parametrize(
    "arguments, near", [(["list", "taks"], "tasks"), (["list", "backbone"], "backbones")]
)
def test_an_unknown_kind_is_answered_with_the_nearest(mtpeft, arguments, near):
    assert f"did you mean {near}" in refused(mtpeft(*arguments))


def test_a_group_that_is_not_installed_is_named_with_its_command(mtpeft, tmp_path):
    """As on a machine where only the core was set up: a module that fails to import as if it were
    not there.
    """
    (tmp_path / "missing").mkdir()
    (tmp_path / "missing" / "torch.py").write_text(
        "raise ModuleNotFoundError('No module named torch', name='torch')\n"
    )
    (tmp_path / "missing" / "peft.py").write_text("import torch\n")
    text = refused(
        mtpeft(
            "merge",
            str(tmp_path),
            str(tmp_path / "merged"),
            "--backbone",
            "x",
            PYTHONPATH=f"{tmp_path / 'missing'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        )
    )
    assert "torch is not installed" in text and "make .venv/.train" in text


def test_an_unknown_command_is_refused(mtpeft):
    refused(mtpeft("reproduce"))


def test_a_stage_without_its_input_says_which_file_is_missing(mtpeft):
    text = refused(mtpeft("audit"))
    assert "tests.csv: no such file" in text


def test_a_damaged_table_of_an_earlier_stage_is_named_by_line(mtpeft, tmp_path):
    path = tmp_path / "out" / "verification" / "verdicts.csv"
    path.parent.mkdir(parents=True)
    path.write_text("id,tier\nx\n")
    assert "verdicts.csv:1: header is id,tier" in refused(mtpeft("verdict"))


def test_a_mirror_that_is_not_there_is_said_to_be_missing(mtpeft, tmp_path):
    text = refused(mtpeft("archive", MTPEFT_MIRROR=str(tmp_path / "gone")))
    assert "unset MTPEFT_MIRROR" in text


def test_a_catalog_folder_that_is_not_there_is_said_to_be_missing(mtpeft, tmp_path):
    assert "MTPEFT_CATALOG" in refused(
        mtpeft("list", "tasks", MTPEFT_CATALOG=str(tmp_path / "gone"))
    )


def test_a_folder_that_cannot_be_written_is_a_clear_error(mtpeft, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    text = refused(mtpeft("check-files", MTPEFT_OUT=str(tmp_path / "file" / "below")))
    assert "cannot write" in text


def test_the_files_as_shipped_pass(mtpeft):
    done = mtpeft("check-files")
    assert done.returncode == 0, done.stderr
    assert re.search(r"T0: \d+ archived files, all as shipped", done.stdout)


def test_a_task_added_from_outside_is_listed(mtpeft, tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "toy.yaml").write_text(
        "id: toy\nstudy: own\ntitle: Toy task\nabbreviation: TY\nmodule: toy\nevaluations: []\n"
    )
    done = mtpeft("list", "tasks", MTPEFT_CATALOG=str(tmp_path))
    assert done.returncode == 0
    assert re.search(r"^toy +Toy task$", done.stdout, re.MULTILINE)


def test_every_command_has_a_help_text():
    assert all(command.callback.__doc__ for command in app.registered_commands)


@pytest.mark.parametrize("how", [KeyboardInterrupt(), SystemExit(130)], ids=repr)
def test_an_interrupt_ends_with_130_and_says_that_nothing_is_lost(monkeypatch, capsys, how):
    from mtpeft import cli

    def interrupted():
        raise how

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 130
    assert "the same command resumes" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 1, 2])
def test_any_other_exit_code_passes_through(monkeypatch, capsys, code):
    from mtpeft import cli

    monkeypatch.setattr(cli, "app", lambda: sys.exit(code))
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == code
    assert capsys.readouterr().err == ""


def test_the_exit_code_of_an_error_is_its_own(monkeypatch, capsys):
    from mtpeft import cli

    def failing():
        raise MtpeftError("found", "expected", "fix")

    monkeypatch.setattr(cli, "app", failing)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == "mtpeft: found\n  expected: expected\n  to fix:   fix\n"
