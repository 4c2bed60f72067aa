"""A matrix on a real Slurm of one machine: jobs are requeued, timed out, killed and cancelled, and
every result has the bytes that it has when the runs are done one by one (make test-cluster).
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

# Slurm's daemons lie where only root's PATH leads.
os.environ["PATH"] += os.pathsep + "/usr/sbin"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.recipe,
    pytest.mark.skipif(
        any(shutil.which(name) is None for name in PROGRAMS),
        reason="no Slurm here (apt-get install slurm-wlm munge)",
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="starting Slurm's daemons needs root"),
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("torch", "submitit")),
        reason="the group `train` is not installed (make .venv/.train)",
    ),
]
HOST = os.uname().nodename
CONF = f"""ClusterName=test
SlurmctldHost={HOST}(127.0.0.1)
SlurmctldPort=17317
AuthType=auth/munge
AuthInfo=socket=FOLDER/munge/socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
ReturnToService=2
SlurmUser=root
StateSaveLocation=FOLDER/state
SlurmdSpoolDir=FOLDER/spool.%n
SlurmctldPidFile=FOLDER/slurmctld.pid
SlurmdPidFile=FOLDER/slurmd.%n.pid
SlurmctldLogFile=FOLDER/slurmctld.log
SlurmdLogFile=FOLDER/slurmd.%n.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
KillWait=5
MinJobAge=30
SchedulerParameters=correspond_after_task_cnt=1
NodeName={HOST} NodeHostname={HOST} NodeAddr=127.0.0.1 Port=17318 CPUs=1
NodeName=localhost NodeHostname={HOST} NodeAddr=127.0.0.1 Port=17319 CPUs=1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
SIZE = int(os.environ.get("RUNS") or 3)
PATIENCE = 300 * SIZE  # seconds, for a crowded machine
# Long enough to be hit in its midst, and no early stopping ends it before.
SETTINGS = ["epochs=16", "early_stopping_patience=0", "batch_size=4", "code_length=56"]
TRAINING = Path("training/fast")


def chosen() -> list[str]:
    """Runs of the catalog: first those of all tasks, which take longest and are hit; then pairs."""
    from mtpeft.catalog import catalog

    of_one = [r for r in catalog().runs.values() if r.id.startswith("unixcoder-base/")]
    found = [r.id for tasks in (4, 2, 1) for r in of_one if len(r.tasks) == tasks]
    assert 3 <= SIZE <= len(found), f"RUNS={SIZE}; expected 3 to {len(found)}"
    return found[:SIZE]


def until(what: str, ready: Callable[[], object], seconds: float = 180) -> None:
    """Look until it is so."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def said(*command: str, **environment: str) -> str:
    more = os.environ | environment
    done = subprocess.run(command, env=more, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[Path]:
    """Slurm's controller and two nodes on this machine, of one core each."""
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("munge", "state", f"spool.{HOST}", "spool.localhost"):
        (folder / name).mkdir(mode=0o700)
    (folder / "slurm.conf").write_text(CONF.replace("FOLDER", str(folder)))
    (folder / "munge" / "key").write_bytes(os.urandom(128))
    (folder / "munge" / "key").chmod(0o400)
    kinds = (("key-file", "key"), ("socket", "socket"), ("pid-file", "pid"))
    kinds = (*kinds, ("log-file", "log"), ("seed-file", "seed"))
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    said("munged", "--force", *(f"--{kind}={folder}/munge/{name}" for kind, name in kinds))
    said("slurmctld", "-c")
    for node in (HOST, "localhost"):
        said("slurmd", "-N", node)
    until("two idle nodes", lambda: said("sinfo", "-h", "-o", "%D %T").strip() == "2 idle", 30)
    yield folder
    subprocess.run(["scancel", "--user", "root"], check=False)
    until("an empty queue", lambda: not said("squeue", "-h").strip(), 60)
    for path in [*folder.glob("slurm*.pid"), folder / "munge" / "pid"]:
        subprocess.run(["kill", path.read_text().strip()], check=False)
    del os.environ["SLURM_CONF"]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> str:
    """A tiny RoBERTa with a tokenizer."""
    from mtpeft.corpora.analysis.load import TASKS, own
    from mtpeft.tuning.tiny import save_encoder

    texts = (t for task in TASKS for e in own(task, "train") for t in e.inputs.values())
    return save_encoder(tmp_path_factory.mktemp("backbone"), texts, 300)


def mtpeft(out: Path, *words: str) -> str:
    return said(sys.executable, "-m", "mtpeft", "matrix", *words, MTPEFT_OUT=str(out))


def bytes_of(out: Path) -> dict[str, bytes]:
    """Every result of a training folder; of predictions what does not depend on the clock."""
    found = {}
    for path in sorted((out / TRAINING).rglob("*")):
        name = str(path.relative_to(out))
        if path.suffix == ".jsonl":
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            found[name] = json.dumps([row | {"seconds": 0} for row in rows]).encode()
        # results.csv sums up the seeds of one command, so the last command decides what it holds.
        elif path.suffix in (".safetensors", ".csv") and path.name != "results.csv":
            found[name] = path.read_bytes()
    return found


ONE_BY_ONE = """
import sys
from typer.testing import CliRunner
from mtpeft.cli import app
from mtpeft.matrix import plan as plans
made = plans.read("m")
for cell in plans.cells(made):
    for stage in plans.STAGES:
        for words in plans.commands(made, cell, stage):
            done = CliRunner().invoke(app, words)
            assert done.exit_code == 0, (words, done.output, done.exception)
"""


def test_runs_that_are_killed_and_requeued_end_as_those_done_one_by_one(slurm, backbone, tmp_path):
    out, alone = tmp_path / "cluster", tmp_path / "alone"
    words = ["--corpus", "multitask-peft-own", "--backbone", backbone, "--name", "m"]
    words += [w for seed in ("1", "2") for w in ("--seed", seed)]
    words += [w for setting in SETTINGS for w in ("--set", setting)]
    runs = chosen()
    for place in (out, alone):
        mtpeft(place, "plan", *runs, *words)
    asked = ["--gpus", "0", "--cpus", "1", "--minutes", "30", "--name", "m"]
    mtpeft(out, "submit", *asked)
    home = out / "matrix" / "m"
    listed = json.loads((home / "jobs.json").read_text())["jobs"]
    jobs = {(run, seed, stage): job for run, seed, stage, job in listed}
    cells = [(run, seed) for seed in (1, 2) for run in runs]

    def running(cell: tuple[str, int], stage: str) -> bool:
        job = jobs[(*cell, stage)]
        return "RUNNING" in said("squeue", "-h", "-r", "-o", "%T", "-j", job)

    def at_a_checkpoint(cell: tuple[str, int]) -> bool:
        run, seed = cell
        folder = out / TRAINING / run / f"seed-{seed}" / "checkpoints"
        return any(folder.glob("checkpoint-*")) and running(cell, "train")

    hit = [
        ["scontrol", "requeue"],
        ["scancel", "--signal=USR2"],
        ["scancel", "--signal=KILL"],
        ["scancel"],
        ["scontrol", "requeue"],
    ]
    left = dict(zip(cells, hit, strict=False))

    def all_hit() -> bool:
        for cell in list(left):
            if not at_a_checkpoint(cell):
                continue
            # scancel tries again for as long as the job is being requeued: one signal is enough.
            command = ["timeout", "1", *left.pop(cell), jobs[(*cell, "train")]]
            subprocess.run(command, capture_output=True, check=False)
        return not left

    until("every run was hit in the midst of its training", all_hit, PATIENCE)
    until("an answer", lambda: running(cells[5], "infer"), PATIENCE)
    said("scontrol", "requeue", jobs[(*cells[5], "infer")])
    until("an empty queue", lambda: not said("squeue", "-h").strip(), PATIENCE)
    assert f"train  {len(cells) - 2} finished, " in mtpeft(out, "status", "--name", "m")
    mtpeft(out, "resume", "--name", "m")
    until("an empty queue", lambda: not said("squeue", "-h").strip(), PATIENCE)
    with (home / "stages.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["state"] for row in rows] == ["finished"] * len(cells) * 3
    assert sum(int(row["restarts"]) for row in rows) >= 3
    # These corpora are not the study's: nothing is judged, and that is no failure of the last job.
    assert "verify finished (some could not be judged): T4: " in mtpeft(
        out, "status", "--name", "m"
    )
    said(sys.executable, "-c", ONE_BY_ONE, MTPEFT_OUT=str(alone))
    assert bytes_of(out) == bytes_of(alone) and len(bytes_of(out)) > len(cells) * 4


def test_two_nodes_train_one_run_together(slurm, tmp_path):
    from mtpeft.corpora import load
    from mtpeft.tuning.tiny import save_backbone, tiny_model, train_tokenizer

    texts = (
        t for e in load("smoke", "summarization", "train") for t in (*e.inputs.values(), e.target)
    )
    tokenizer = train_tokenizer(texts, 600)
    base = tmp_path / "base"
    save_backbone(base, tokenizer, tiny_model(tokenizer, hidden=32, layers=1, heads=2))
    run = "qwen2.5-coder-0.5b/st-qlora/summarization"
    words = ["--profile", "smoke", "--corpus", "smoke", "--backbone", str(base), "--seed", "1"]
    settings = ("epochs=1", "batch_size=2", "gradient_accumulation=1")
    mtpeft(tmp_path, "plan", run, *words, *(w for s in settings for w in ("--set", s)))
    mtpeft(tmp_path, "submit", "--gpus", "0", "--cpus", "1", "--nodes", "2", "--minutes", "10")
    mark = tmp_path / "matrix" / "matrix" / run / "seed-1" / "train.json"
    until("an exit code", lambda: '"code":' in (mark.read_text() if mark.exists() else ""), 300)
    said("scancel", "--user", "root")
    logs = [path.read_text() for path in mark.parent.glob("train*.log")]
    assert json.loads(mark.read_text())["code"] == 0 and len(logs) == 2, logs
    ledger = next((tmp_path / "training").rglob("ledger.json"))
    assert json.loads(ledger.read_text())["processes"] == 2
