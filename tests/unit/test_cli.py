"""The command line: errors in three parts and no traceback, exit codes that scripts can rely on."""

import os
import re
import subprocess
import sys
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import typer
from mtpeft.cli import ALIASES, app
from mtpeft.core.errors import MtpeftError
from typer.core import TyperGroup


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
        "id: toy\ntitle: Toy task\nabbreviation: TY\nmodule: toy\noutput: code\nevaluations: []\n"
    )
    done = mtpeft("list", "tasks", MTPEFT_CATALOG=str(tmp_path))
    assert done.returncode == 0
    assert re.search(r"^toy +Toy task$", done.stdout, re.MULTILINE)


def commands() -> dict[str, Any]:
    """Every command of every group by its full name."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    found = {}
    for name, entry in root.commands.items():
        below = entry.commands if isinstance(entry, TyperGroup) else {"": entry}
        found |= {f"{name} {inner}".strip(): command for inner, command in below.items()}
    return found


@pytest.mark.parametrize("name", sorted(commands()))
def test_a_command_says_what_it_does_and_shows_an_example(name):
    command = commands()[name]
    assert command.help
    assert "Example" in (command.epilog or "") and "mtpeft " in command.epilog


def whole_numbers() -> list[tuple[str, str, int | None]]:
    """(command, option, the least that it may be) of every option that takes a whole number."""
    found = []
    for name, command in commands().items():
        for option, hint in get_type_hints(command.callback, include_extras=True).items():
            if get_origin(hint) is Annotated and get_args(hint)[0] is int:
                found.append((name, option, get_args(hint)[1].min))
    return found


def test_no_option_that_counts_takes_a_number_below_none():
    """`--limit -1` left one example out, or ended in advice to fetch the data again."""
    assert len(whole_numbers()) > 30
    assert not [(name, option) for name, option, least in whole_numbers() if least is None]


@pytest.mark.parametrize("short", sorted(ALIASES))
def test_a_short_name_stands_for_a_command_that_exists(short):
    assert " ".join(ALIASES[short]) in commands()


def test_a_first_word_that_is_no_command_is_an_argument_of_the_default_one(mtpeft, tmp_path):
    text = refused(mtpeft("score", str(tmp_path / "none.jsonl"), "lizard"))
    assert "none.jsonl" in text


def test_a_catalog_folder_can_be_named_by_an_option(mtpeft, tmp_path):
    assert "no such folder" in refused(mtpeft("--catalog", str(tmp_path / "gone"), "list", "tasks"))


@pytest.mark.parametrize("how", [KeyboardInterrupt(), SystemExit(130)], ids=repr)
def test_an_interrupt_ends_with_130_and_says_that_nothing_is_lost(monkeypatch, capsys, how):
    from mtpeft import cli

    def interrupted(prog_name):
        raise how

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 130
    assert "the same command resumes" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 1, 2])
def test_any_other_exit_code_passes_through(monkeypatch, capsys, code):
    from mtpeft import cli

    monkeypatch.setattr(cli, "app", lambda prog_name: sys.exit(code))
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == code
    assert capsys.readouterr().err == ""


def test_the_exit_code_of_an_error_is_its_own(monkeypatch, capsys):
    from mtpeft import cli

    def failing(prog_name):
        raise MtpeftError("found", "expected", "fix")

    monkeypatch.setattr(cli, "app", failing)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == "mtpeft: found\n  expected: expected\n  to fix:   fix\n"


def test_the_shell_completes_commands_of_the_name_that_people_type():
    def asked(**environment):
        return subprocess.run(
            [sys.executable, "-m", "mtpeft", *environment.pop("arguments", [])],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    script = asked(_MTPEFT_COMPLETE="source_bash")
    assert script.rstrip().endswith("complete -o default -F _mtpeft_completion mtpeft")
    words = {"_MTPEFT_COMPLETE": "complete_bash", "COMP_WORDS": "mtpeft ver", "COMP_CWORD": "1"}
    assert asked(**words).split() == ["verify"]


@pytest.mark.parametrize(
    "option", ["--backend vllm", "--dtype bfloat16", "--tokens-in-flight 512", "--processes 2"]
)
def test_an_option_that_heads_do_not_read_is_refused(mtpeft, option):
    """It was taken, and nothing came of it."""
    text = refused(mtpeft("infer", "unixcoder-base/mt-lora", *option.split()))
    assert f"leave {option.split()[0]} out" in text
