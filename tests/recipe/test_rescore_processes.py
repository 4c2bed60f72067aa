"""The engine over several processes: a killed worker and a killed run must lose nothing but what
was in flight.
"""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

TOY = """
    import os, signal
    from mtpeft.core.records import Score
    class Toy:
        tool, metrics, batch, workers = "toy-tool", ("toy_characters",), 1, 2
        def version(self): return "1"
        def accepts(self, evaluation): return True
        def score(self, items):
            for item in items:
                if item.output == "die\\n": os.kill(os.getpid(), signal.SIGKILL)
                if item.output == "stop everything\\n" and not os.path.exists(os.environ["TOY_CALM"]):
                    os.kill(int(os.environ["TOY_PARENT"]), signal.SIGKILL); signal.pause()
                with open(os.environ["TOY_LOG"], "a") as log: log.write(item.instance_id + "\\n")
                yield Score(item.run, item.task, item.instance_id, "toy-tool", "1", "toy_characters", float(len(item.output)))
    def scorer(): return Toy()
"""
CATALOG = """
id: toy-tool
title: Toy
version: "1"
module: toy_tool
reads: [code, text]
metrics:
  - {id: toy_characters, title: Characters, better: neither, printed: [], column: ""}
"""
RUN = """
    import json, os, sys
    from pathlib import Path
    from mtpeft.scoring import engine
    from mtpeft.scoring.interface import Item
    if __name__ == "__main__":
        os.environ["TOY_PARENT"] = str(os.getpid())
        outputs = json.loads(Path(sys.argv[1]).read_text())
        items = [Item("r", "t", f"i{n}", "python", text) for n, text in enumerate(outputs)]
        got = engine.score("toy-tool", items, Path(sys.argv[2]), workers=2)
        print(json.dumps([[o.status, o.cells["toy_characters"][0]] for o in got]))
"""


@pytest.fixture
def toy(tmp_path):
    """Run the engine with a tool from outside the package, in processes of its own: `toy(outputs)`."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "toy-tool.yaml").write_text(CATALOG)
    (tmp_path / "toy_tool.py").write_text(textwrap.dedent(TOY))
    (tmp_path / "run.py").write_text(textwrap.dedent(RUN))

    def run(outputs):
        (tmp_path / "outputs.json").write_text(json.dumps(outputs))
        return subprocess.run(
            [sys.executable, tmp_path / "run.py", tmp_path / "outputs.json", tmp_path / "cache"],
            capture_output=True,
            text=True,
            timeout=120,
            start_new_session=True,
            env=os.environ
            | {
                "MTPEFT_CATALOG": str(tmp_path),
                "TOY_LOG": str(tmp_path / "log"),
                "TOY_CALM": str(tmp_path / "calm"),
                "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
            },
        )

    run.folder = tmp_path
    return run


def test_an_output_that_kills_the_tools_process_costs_only_itself(toy):
    done = toy([f"x = {n}\n" for n in range(40)] + ["die\n"] + ["y\n"])
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert got[40] == ["infrastructure", None]
    assert [g[0] for g in got].count("ok") == 41


def test_a_killed_run_resumes_and_ends_as_if_it_had_not_been_killed(toy):
    outputs = [f"x = {n}\n" for n in range(80)] + ["stop everything\n"]
    killed = toy(outputs)
    assert killed.returncode == -signal.SIGKILL
    before = len((toy.folder / "log").read_text().split())
    kept = sum(
        line.count(b'"key"')
        for path in (toy.folder / "cache").rglob("*.jsonl")
        for line in path.read_bytes().split(b"\n")
    )
    assert kept > 0, "the killed run kept nothing"
    (toy.folder / "calm").touch()
    (toy.folder / "log").unlink()
    done = toy(outputs)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["ok", float(len(text))] for text in outputs]
    asked = len((toy.folder / "log").read_text().split())
    assert asked == 81 - kept, f"{before} before the kill, {kept} kept, {asked} asked again"


ORPHAN = """
    import os, signal, sys, time
    from multiprocessing import get_context, parent_process
    from pathlib import Path
    from mtpeft.core.processes import die_with_parent
    def child(started, survived):
        Path(started).touch()
        while os.getppid() == parent_process().pid:
            time.sleep(0.01)
        die_with_parent()
        Path(survived).touch()
    if __name__ == "__main__":
        get_context("spawn").Process(target=child, args=sys.argv[1:]).start()
        while not Path(sys.argv[1]).exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_worker_whose_parent_died_while_it_was_starting_does_not_wait_for_ever(tmp_path):
    script, started, survived = tmp_path / "orphan.py", tmp_path / "started", tmp_path / "survived"
    script.write_text(textwrap.dedent(ORPHAN))
    # The child holds the pipes, so that this returns when it has ended.
    done = subprocess.run(
        [sys.executable, script, started, survived],
        capture_output=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == -signal.SIGKILL and started.exists() and not survived.exists()
