"""Many runs and seeds: what is finished stays finished, what fails harms no other cell."""

import dataclasses
import errno
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mtpeft.catalog import catalog
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.locks import InUse, held
from mtpeft.matrix import jobs, local, step
from mtpeft.matrix import plan as plans
from mtpeft.matrix.collect import standing
from mtpeft.matrix.jobs import Cluster

RUNS = ["qwen2.5-coder-0.5b/mt-qlora", "qwen2.5-coder-1.5b/mt-qlora"]


@pytest.fixture
def matrix(tmp_path, monkeypatch):
    """A plan of two runs and two seeds; the stages are a script that notes its arguments."""
    monkeypatch.setattr("mtpeft.core.paths.REGENERATED", tmp_path)
    script = tmp_path / "stage.py"
    script.write_text(
        "import os, sys, pathlib\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        "words = sys.argv[1:]\n"
        "with open(here / 'calls', 'a') as stream: stream.write(' '.join(words) + '\\n')\n"
        "if os.path.exists(here / 'break') and words[0] == 'infer' and '0.5b' in words[2]:\n"
        "    print('mtpeft: no such adapter'); sys.exit(2)\n"
        "if words[0] == 'infer':\n"
        "    seed = words[words.index('--seed') + 1]\n"
        "    out = here / 'training' / 'fast' / words[2] / f'seed-{seed}' / 'clean' / 'predictions'\n"
        "    out.mkdir(parents=True, exist_ok=True); (out / 'x.jsonl').write_text('')\n"
    )
    real = step.subprocess.Popen

    def stage(command, **options):
        if "mtpeft" not in command:
            return real(command, **options)
        words = command[command.index("mtpeft") + 1 :]
        return real([sys.executable, str(script), *words], **options)

    monkeypatch.setattr(step.subprocess, "Popen", stage)
    made = plans.Plan(RUNS, [1, 2], "fast", "clean", settings=["epochs=1"])
    plans.write("m", made)
    return made, tmp_path


def calls(folder):
    path = folder / "calls"
    return path.read_text().splitlines() if path.is_file() else []


def states(made):
    return [
        plans.state(plans.home("m"), cell, stage)
        for cell in plans.cells(made)
        for stage in plans.STAGES
    ]


def test_each_stage_of_each_cell_is_done_once_and_a_second_call_does_nothing(matrix):
    made, folder = matrix
    assert local.run("m", made) == {}
    assert set(states(made)) == {"finished"}
    assert len(calls(folder)) == 2 * 2 * 3
    assert "train run qwen2.5-coder-0.5b/mt-qlora --profile fast --seed 1 --set epochs=1" in calls(
        folder
    )
    local.run("m", made)
    assert len(calls(folder)) == 12


def test_a_stage_that_fails_stops_its_cell_alone_and_is_tried_again(matrix):
    made, folder = matrix
    (folder / "break").touch()
    failed = local.run("m", made)
    assert {cell.run for cell in failed} == {RUNS[0]} and len(failed) == 2
    assert "no such adapter" in next(iter(failed.values()))
    assert states(made).count("failed") == 2 and states(made).count("finished") == 2 * 3 + 2
    (folder / "break").unlink()
    assert local.run("m", made) == {}
    assert sum("train run" in call for call in calls(folder)) == 4, (
        "a finished stage was done again"
    )


def test_a_stage_that_was_cut_off_is_begun_again(matrix):
    made, folder = matrix
    cell = next(plans.cells(made))
    path = plans.mark(plans.home("m"), cell, "train")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"commands": []}))
    assert plans.state(plans.home("m"), cell, "train") == "interrupted"
    assert local.run("m", made) == {} and set(states(made)) == {"finished"}
    path.write_text("{ half")
    assert plans.state(plans.home("m"), cell, "train") == "interrupted"


def test_a_cell_that_another_process_has_is_left_to_it(matrix):
    made, folder = matrix
    cell = next(plans.cells(made))
    with held(cell.folder(plans.home("m")) / "cell"):
        assert local.run("m", made) == {}
    assert states(made)[:3] == ["waiting"] * 3 and states(made).count("finished") == 9
    with pytest.raises(InUse), held(folder / "x"), held(folder / "x", wait=False, again=False):
        pass


def test_another_plan_of_the_same_name_is_refused_with_what_differs(matrix):
    made, _ = matrix
    plans.write("m", made)
    with pytest.raises(MtpeftError, match="other seeds"):
        plans.write("m", plans.Plan(RUNS, [1, 3], "fast", "clean", settings=["epochs=1"]))


def test_a_matrix_that_nobody_planned_and_a_damaged_one_are_refused(matrix):
    with pytest.raises(MtpeftError, match="no matrix other"):
        plans.read("other")
    (plans.home("m") / "plan.json").write_text("{}")
    with pytest.raises(MtpeftError, match="not a plan"):
        plans.read("m")
    with pytest.raises(MtpeftError, match="name of a matrix"):
        plans.home("../x")


def test_the_runs_of_a_matrix_are_those_of_the_catalog():
    known = catalog()
    assert plans.choose(known, RUNS) == RUNS
    trained = {r.id for r in known.runs.values() if not r.withdrawn and r.regime != "untuned"}
    assert set(plans.choose(known, [])) == trained
    assert plans.choose(known, [*RUNS, *RUNS]) == RUNS
    with pytest.raises(MtpeftError, match="nothing is trained"):
        plans.choose(known, ["smollm2-135m-instruct/base"])
    with pytest.raises(UnknownName):
        plans.choose(known, ["no/run"])


def test_each_worker_has_one_gpu_and_no_two_share_one(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,7")
    assert local.devices(0) == ["3", "5", "7"] and local.devices(2) == ["3", "5"]
    with pytest.raises(MtpeftError, match="4 processes on 3 GPUs") as refused:
        local.devices(4)
    assert {"--workers 0", "mtpeft infer: --processes 0"} <= set(
        re.split(r" \(of |\)", refused.value.fix)
    )
    for none in ("", " ", "-1", "NoDevFiles", "-1,0"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)
        assert local.devices(0) == [""] and local.devices(2) == ["", ""]


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("0, 1", ["0", "1"]),
        ("2,", ["2"]),
        ("0,-1,1", ["0"]),
        ("MIG-a1,GPU-b2", ["MIG-a1", "GPU-b2"]),
    ],
)
def test_workers_get_the_gpus_that_cuda_takes_from_the_list(monkeypatch, visible, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert local.devices(0) == names


@pytest.mark.parametrize("visible", ["0,0", "GPU-a,GPU-a", "all", "0,,1", "0;1", "cuda:0", "+1"])
def test_a_list_of_gpus_that_cuda_takes_for_none_is_refused(monkeypatch, visible):
    """Two workers would share a GPU, or all of them compute on the CPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(MtpeftError, match="CUDA_VISIBLE_DEVICES is"):
        local.devices(0)


def test_the_stages_of_a_cell_wait_for_each_other_and_for_nothing_else(matrix):
    pytest.importorskip("submitit", reason="the group `train` is not installed")
    from mtpeft.matrix.slurm import submit

    cluster = Cluster(gpus=8, nodes=2, parallel=3, sbatch={"partition": "gpu"})
    train, infer, score, verify = submit("m", cluster, dry_run=True)
    assert "#SBATCH --array=0-3%3" in train and "--dependency" not in train
    assert "#SBATCH --nodes=2" in train and "#SBATCH --gpus-per-node=8" in train
    for script in (train, infer, score, verify):
        assert "#SBATCH --requeue" in script and "#SBATCH --signal=USR2@90" in script
        assert "#SBATCH --partition=gpu" in script and "--kill-on-invalid-dep=yes" in script
    assert "afterok:$TRAIN_0" in infer and "--gpus-per-node=1" in infer and "--nodes=1" in infer
    assert "afterok:$INFER_0" in score and "gpus" not in score
    assert "afterany:$SCORE_0:$SCORE_1:$SCORE_2:$SCORE_3" in verify
    # Slurm forgets dependencies between the tasks of two arrays (aftercorr) minutes after the first.
    assert not any(
        "--array" in script or "aftercorr" in script for script in (infer, score, verify)
    )
    assert not (plans.home("m") / jobs.JOBS).exists() and not (plans.home("m") / "jobs").exists()


def test_a_finished_stage_is_not_queued_and_arrays_are_no_longer_than_the_cluster_takes(matrix):
    pytest.importorskip("submitit", reason="the group `train` is not installed")
    from mtpeft.matrix.slurm import submit

    made, _ = matrix
    for cell in list(plans.cells(made))[:2]:
        path = plans.mark(plans.home("m"), cell, "train")
        path.parent.mkdir(parents=True)
        path.write_text('{"code": 0}')
    said = list(submit("m", Cluster(array=1), dry_run=True))
    titles = [text.splitlines()[0].removeprefix("# ---- ") for text in said]
    begun, fresh = ["infer: 1 job", "score: 1 job"], "train: 1 job"
    assert titles == [fresh, *begun, fresh, *begun, *begun, *begun, "verify: 1 job"]
    assert said[-1].count("$SCORE") == 4 and "afterok:$TRAIN_0" in said[1]


def test_what_is_in_the_queue_is_not_queued_again(matrix, monkeypatch):
    pytest.importorskip("submitit", reason="the group `train` is not installed")
    from mtpeft.matrix import slurm

    made, folder = matrix
    first, *_ = plans.cells(made)
    jobs.write("m", Cluster(minutes=5), {(first, "train"): "7_0", (first, "infer"): "8_0"})
    for name, says in (("squeue", "7_0 RUNNING\n8_0 PENDING\n"), ("sbatch", "")):
        (folder / name).write_text(f"#!/bin/sh\nprintf '{says}'\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    assert jobs.read("m")[0] == Cluster(minutes=5)
    there = standing("m")
    assert [there[first, stage] for stage in plans.STAGES] == ["running", "queued", "waiting"]
    sent = []

    def send(_, tasks, after=()):
        sent.append([task.cell for task in tasks])
        return [f"9_{n}" for n in range(len(tasks))], ""

    monkeypatch.setattr(slurm._Sender, "send", send)
    forgotten = []
    monkeypatch.setattr(slurm.collect, "forget", forgotten.append)
    list(slurm.submit("m", Cluster()))
    assert forgotten == ["m"], "once, before anything is sent"
    assert sent[0] == [cell for cell in plans.cells(made) if cell != first]


def test_without_slurm_the_error_names_what_works_here(matrix, monkeypatch):
    pytest.importorskip("submitit", reason="the group `train` is not installed")
    from mtpeft.matrix.slurm import submit

    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MtpeftError, match="mtpeft matrix run"):
        next(submit("m", Cluster()))


T4 = """\
import pathlib, sys
code, words = int(sys.argv[1]), sys.argv[2]
if words:
    path = pathlib.Path(sys.argv[3]) / "verification" / "seeds.csv"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text("verdicts")
    print("a claim", words, sep="\\n")
else:
    print("mtpeft: no scores of trained runs", file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("code", "words", "said"),
    [
        (0, "T4: 3 within tolerance", "finished: T4: 3 within tolerance"),
        (1, "T4: 1 differs", "finished (something differs): T4: 1 differs"),
        (2, "T4: 1 not run", "finished (some could not be judged): T4: 1 not run"),
        (2, "", "failed: no scores of trained runs"),
    ],
)
def test_the_job_of_the_verdicts_fails_only_where_none_were_written(
    matrix, monkeypatch, capfd, code, words, said
):
    """That something differs, or could not be judged, is an answer."""
    pytest.importorskip("submitit", reason="the group `train` is not installed")
    from mtpeft.matrix import collect
    from mtpeft.matrix.slurm import Task

    _, folder = matrix
    script = folder / "t4.py"
    script.write_text(T4)
    real = collect.processes.run

    def t4(command, **options):
        return real([sys.executable, str(script), str(code), words, str(folder)], **options)

    monkeypatch.setattr(collect.processes, "run", t4)
    assert collect.judged("m") is None
    for _ in range(2):  # verdicts that are there already are written again
        if words:
            Task("m")()
        else:
            with pytest.raises(MtpeftError, match="no scores of trained runs"):
                Task("m")()
        assert str(collect.judged("m")) == said and collect.judged("m").code == code
    out, err = capfd.readouterr()
    assert (words or "no scores of trained runs") in out + err
    collect.forget("m")
    assert collect.judged("m") is None


JOB = """
import subprocess, sys
from pathlib import Path
from mtpeft.core import paths
from mtpeft.matrix import plan as plans, step
from mtpeft.matrix.slurm import Task

paths.REGENERATED = Path(sys.argv[1])
made = plans.Plan([sys.argv[2]], [1], "fast", "clean")
plans.write("m", made)
real = subprocess.Popen
stage = "import os, pathlib, time; pathlib.Path('stage').write_text(str(os.getpid())); time.sleep(600)"


def popen(command, **options):
    own = "mtpeft" in command
    return real([sys.executable, "-c", stage] if own else command, **options)


step.subprocess.Popen = popen
Task("m", next(iter(plans.cells(made))), "train")()
"""


def test_what_a_cluster_tells_a_job_ends_its_command_and_fails_no_stage(tmp_path):
    """A tracker of process groups signals the job alone: its command has a group of its own."""
    pytest.importorskip("submitit", reason="the group `train` is not installed")
    job = subprocess.Popen(
        [sys.executable, "-c", JOB, str(tmp_path), RUNS[0]],
        cwd=tmp_path,
        env=os.environ | {"SUBMITIT_EXECUTOR": "slurm", "SLURM_JOB_ID": "7"},
    )
    try:
        stage = tmp_path / "stage"
        command = Path("/proc", waited_for(lambda: stage.is_file() and stage.read_text()))
        job.terminate()
        waited_for(lambda: not command.exists())
        # It waits to be ended: ended by itself, the jobs that need this stage would start.
        with pytest.raises(subprocess.TimeoutExpired):
            job.wait(1)
    finally:
        job.kill()
        job.wait()
    (mark,) = (tmp_path / "matrix" / "m").rglob("train.json")
    assert "code" not in json.loads(mark.read_text())


def waited_for(ready):
    """What `ready` says at last."""
    for _ in range(600):
        if found := ready():
            return found
        time.sleep(0.1)
    raise AssertionError("nothing within 60 s")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--profile", "fats"], "unknown profile"),
        (["--inference", "claen"], "unknown inference profile"),
        (["--set", "epochz=3"], "unknown training setting"),
        (["--set", "epochs=0"], "setting epochs is 0"),
        (["--seed", "-5"], "setting seed is -5"),
        (["--corpus", "nowhere"], "unknown corpus"),
        (["--backbone", "nowhere"], "no model at nowhere"),
    ],
)
def test_what_no_job_could_do_is_refused_when_it_is_planned(tmp_path, monkeypatch, words, said):
    from mtpeft.cli import app
    from typer.testing import CliRunner

    monkeypatch.setattr("mtpeft.core.paths.REGENERATED", tmp_path)
    done = CliRunner().invoke(app, ["matrix", "plan", RUNS[0], *words])
    assert said in str(done.exception) and not (tmp_path / "matrix").exists()


def test_a_cell_that_is_named_twice_is_one(matrix):
    made, folder = matrix
    path = plans.home("m") / "plan.json"
    path.write_text(path.read_text().replace("[\n  1,", "[\n  1,\n  1,"))
    twice = plans.read("m")
    assert twice.seeds == [1, 1, 2] and list(plans.cells(twice)) == list(plans.cells(made))


def test_marks_of_another_plan_are_not_taken_for_this_ones(matrix):
    made, folder = matrix
    local.run("m", made)
    (plans.home("m") / "plan.json").unlink()
    other = plans.Plan(RUNS, [1, 2], "fast", "clean", settings=["epochs=2"])
    with pytest.raises(MtpeftError, match="train is that of another plan"):
        plans.write("m", other)
    with pytest.raises(MtpeftError, match="train is that of another plan"):
        local.run("m", other)
    plans.write("m", made)
    assert local.run("m", made) == {} and len(calls(folder)) == 12


def test_a_full_disk_is_said_of_each_cell_and_none_counts_as_done(matrix, monkeypatch):
    made, _ = matrix

    def full(path, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(step, "write_atomic", full)
        failed = local.run("m", made)
    assert set(failed) == set(plans.cells(made))
    assert all("No space left" in why for why in failed.values())
    assert local.run("m", made) == {} and set(states(made)) == {"finished"}


@pytest.mark.parametrize(
    "rows",
    ['"jobs": 5', '"jobs": [["r", 1, "train"]]', '"jobs": [["r", "1", "train", "7"]]']
    + [
        '"jobs": [["r", 1, "tain", "7"]]',
        '"jobs": [["r", 1, "train", 7]]',
        '"job": []',
        '"jobs": [',
    ],
)
def test_a_damaged_record_of_jobs_is_refused_with_what_to_do(matrix, rows):
    cluster = json.dumps(dataclasses.asdict(Cluster()))
    (plans.home("m") / jobs.JOBS).write_text(f'{{"cluster": {cluster}, {rows}}}')
    with pytest.raises(MtpeftError, match="scancel") as told:
        standing("m")
    assert jobs.JOBS in str(told.value)
