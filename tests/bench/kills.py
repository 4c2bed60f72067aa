"""Kill every stage that writes at random moments; then look whether anything was lost.

Each stage is run once without disturbance. Then it is killed (SIGKILL) again and again, at moments
that a fixed seed draws, from a state without its products, and at last run to its end. It must then
have written the same bytes, and neither a temporary file, a held lock nor a process may be left.
What names times (provenance, seconds) is compared without them.

    python tests/bench/kills.py --kills 200 [--stage NAME …] [--mirror FOLDER]
"""

import argparse
import contextlib
import csv
import fcntl
import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEED = 11
ORPHANS_SECONDS = 10.0
"""How long the children of a killed process may take to end."""
KILLS_BEFORE_THE_LAST_RUN = 4
_TIMES = re.compile(
    rb'"\w*(?:seconds|per_second|hours|memory_mib)": ?[-+.e0-9]+'
    rb"|,\w*(?:seconds|per_second|hours|memory_mib),[^,\n]*"
)
_TIMED = re.compile(r"\w*(?:seconds|per_second|hours|memory_mib|memory_gb)")
"""Columns of tables that name times, and what of a process depends on when it was cut off."""
_LOGS = "tensorboard"
"""A folder of logs whose names hold times."""
_CHAIN = (["statistics"], ["audit"], ["check-files"], ["verify"])
_CRITERIA = ("Content adequacy", "Conciseness", "Fluency")
_PAIR = "unixcoder-base/mt-serial_adapter/flaky-detection+code-search"
_TRAINING = (
    ["--corpus", "multitask-peft-own", "--backbone", "BACKBONE", "--seed", "1"]
    + ["--set", "epochs=1", "--set", "batch_size=4", "--set", "code_length=64"]
)  # fmt: skip
_TRAINED = ("--seed", "1", "--backbone", "BACKBONE")
_TRAINED_FIRST = (["train", _PAIR, *_TRAINING],)
_UNTUNED = "smollm2-135m-instruct/base"
_SPEAKING = ("--backbone", "SPEAKER")


@dataclass(frozen=True)
class Stage:
    """One command.

    Attributes:
        name: What it is called here.
        arguments: Of `mtpeft`; the words in `Bench.words` are replaced.
        before: Commands that it builds upon, run where they have not been, and not killed.
        needs: `mirror`, `torch` or `R`, without which it is left out.
        serves: What a server says once it is ready; it is then asked to end.
        judged: Whether exit code 2 says no more than that the archive has nothing to compare with.
        measured: Ends of names of files that hold times under no name of their own: two runs that
            nobody disturbs differ there, too. They must be there all the same.
    """

    name: str
    arguments: Sequence[str]
    before: Sequence[Sequence[str]] = ()
    needs: Sequence[str] = ()
    serves: str = ""
    judged: bool = False
    measured: Sequence[str] = ()


STAGES = (
    Stage("archive", ["archive", "import"], needs=["mirror"]),
    Stage("statistics", ["statistics"]),
    Stage("audit", ["audit"], _CHAIN[:1]),
    Stage("verify", ["verify"], _CHAIN[:3]),
    Stage("tables", ["tables"], _CHAIN),
    Stage("figures", ["figures"], _CHAIN),
    Stage("report", ["report"], [*_CHAIN, ["tables"], ["figures"]]),
    Stage("score", ["score", "PREDICTIONS", "lizard", "--corpus", "GIVEN/corpus.jsonl", "--out", "OUT/scored/a"]),
    Stage("rescore", ["rescore", "lizard"], needs=["mirror"]),
    Stage("near-duplicates", ["data", "audit", "flaky-detection", "--train", "multitask-peft-own"]),
    Stage("compare", ["compare", "GIVEN/a.csv", "GIVEN/b.csv"]),
    Stage(
        "prompt",
        ["prompt", "flaky-detection", "--corpus", "multitask-peft-own", "--split", "train"]
        + ["--server", "SERVER", "--model", "m", "--out", "OUT/prompted.jsonl"],
    ),
    Stage(
        "rank",
        ["infer", "rank", "--corpus", "multitask-peft-own", "--split", "train", "--limit", "6"]
        + ["--server", "SERVER", "--model", "m", "--out", "OUT/ranked.jsonl"],
    ),
    Stage("execution", ["score", "PREDICTIONS", "execution", "--corpus", "GIVEN/corpus.jsonl"]),
    Stage("judge", ["score", "judge", "GIVEN/summarization-java.jsonl", "--corpus", "smoke"]),
    Stage("train", ["train", _PAIR, *_TRAINING], needs=["torch"]),
    Stage(
        "infer",
        ["infer", _PAIR, *_TRAINING[:6]],
        [["train", _PAIR, *_TRAINING]],
        needs=["torch"],
    ),
    Stage(
        "matrix",
        ["matrix", "run"],
        [["matrix", "plan", _PAIR, *_TRAINING]],
        needs=["torch"],
    ),
    Stage(
        "matrix-collect",
        ["matrix", "collect"],
        [["matrix", "plan", _PAIR, *_TRAINING], ["matrix", "run"]],
        needs=["torch"],
        judged=True,
    ),
    Stage("export", ["train", "export", _PAIR, "OUT/exported", *_TRAINED], _TRAINED_FIRST, needs=["torch"]),
    Stage("calibrate", ["train", "calibrate", _PAIR, *_TRAINED, *_TRAINING[:2]], _TRAINED_FIRST, needs=["torch"]),
    Stage("apply", ["apply", _PAIR, "GIVEN/Own.java", "--functions", *_TRAINED], _TRAINED_FIRST, needs=["torch"]),
    Stage("serve", ["serve", "smollm2-135m-instruct", "--port", "0", *_SPEAKING], needs=["torch"], serves="serve: http"),
    Stage(
        "infer-language-model",
        ["infer", _UNTUNED, "translation-java-cs", *_SPEAKING, "--corpus", "smoke", "--tokens-in-flight", "600"],
        needs=["torch"],
    ),
    Stage("data-backbones", ["data", "backbones"], needs=["torch", "mirror"]),
    Stage(
        "infer-published",
        ["infer", "published", "codebert-clone-student", "--limit", "200", "--corpus", "multitask-peft-public"]
        + ["--out", "OUT/published.jsonl"],
        needs=["torch", "mirror"],
    ),
    Stage(
        "proof",
        ["proof", "miniature-peft", "--quick", "--only", "codebert-clone-student/mt-lora"],
        [["data", "backbones", "clone-detection", "vulnerability-detection", "flaky-detection", "code-search"]],
        needs=["torch", "mirror"],
        measured=("statistics/contrasts.csv", "tables/table-b5.csv", "tables/table-b5.md"),
    ),
)  # fmt: skip


@dataclass
class Outcome:
    """What came of the kills of one stage."""

    stage: str
    seconds: float
    kills: int = 0
    problems: list[str] = field(default_factory=list)


def _copy_sources(target: Path) -> None:
    """Copy the checkout without what runs made; an image has no git to ask."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], check=False, capture_output=True, text=True
    )
    if listed.returncode:
        made = shutil.ignore_patterns("regenerated", "cache", "__pycache__", ".*")
        shutil.copytree(ROOT, target, ignore=made)
        return
    for name in filter(None, listed.stdout.split("\0")):
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)


class Bench:
    """A copy of the checkout, with folders for results, cache and temporary files of its own."""

    def __init__(self, folder: Path, mirror: str) -> None:
        self.folder = folder
        self.checkout = folder / "checkout"
        self.out = folder / "out"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.done: set[tuple[str, ...]] = set()
        _copy_sources(self.checkout)
        self.mark = f"kills-{os.getpid()}-{random.random()}"
        self.environment = os.environ | {
            "PYTHONPATH": str(self.checkout / "code"),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "MTPEFT_OUT": str(self.out),
            "MTPEFT_CACHE": str(folder / "cache"),
            "MTPEFT_MIRROR": mirror,
            "MTPEFT_KILLS": self.mark,
            "TMPDIR": str(self.temporary),
            "OFFLINE": "1",
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
        }
        self.words = {"OUT": str(self.out), "GIVEN": str(folder / "given")}
        self._write_inputs(folder / "given")

    def _write_inputs(self, given: Path) -> None:
        given.mkdir()
        rng = random.Random(SEED)
        for run in "ab":
            rows = (f"i{n},{rng.random():.4f},{int(rng.random() < 0.4)}" for n in range(300))
            (given / f"{run}.csv").write_text("\n".join(["id,bleu,passed", *rows]) + "\n")
        from mtpeft.core.records import Prediction, append_predictions
        from mtpeft.corpora import load
        from mtpeft.corpora.examples import Example, write_examples
        from mtpeft.corpora.load import evaluation

        examples = [
            e
            for split in ("train", "test")
            for e in load("smoke", "generation", split)
            if e.language == "python"
        ]
        write_examples(given / "corpus.jsonl", examples)

        def answers(task: str, examples: Sequence[Example]) -> list[Prediction]:
            return [
                Prediction(
                    run="me/a",
                    task=task,
                    instance_id=e.id,
                    prompt_sha256=hashlib.sha256(e.id.encode()).hexdigest(),
                    raw_output=e.target,
                    output=e.target,
                    finish_reason="stop",
                    seconds=0.1,
                )
                for e in examples
            ]

        for task, asked in (
            ("generation-python", examples),
            ("summarization-java", list(evaluation("summarization-java", "smoke"))),
        ):
            append_predictions(given / f"{task}.jsonl", answers(task, asked))
        self.words["PREDICTIONS"] = str(given / "generation-python.jsonl")
        methods = "".join(f"  int f{n}(int a) {{ return a + {n}; }}\n" for n in range(40))
        (given / "Own.java").write_text(f"class Own {{\n{methods}}}\n")

    def backbone(self) -> None:
        """A tiny RoBERTa and a tiny Qwen2, each as a folder."""
        from mtpeft.corpora.analysis import own
        from mtpeft.tuning.tiny import save_encoder

        texts = (
            text
            for task in ("flaky-detection", "code-search")
            for example in own(task, "train")
            for text in example.inputs.values()
        )
        self.words["BACKBONE"] = save_encoder(self.folder / "given" / "backbone", texts)
        from mtpeft.corpora import load
        from mtpeft.tuning.tiny import save_backbone, tiny_model, train_tokenizer

        tokenizer = train_tokenizer(
            [
                text
                for task in ("generation", "translation")
                for e in load("smoke", task, "train")
                for text in (*e.inputs.values(), e.target)
            ],
            600,
        )
        speaker = self.folder / "given" / "speaker"
        save_backbone(speaker, tokenizer, tiny_model(tokenizer, hidden=32, layers=1, heads=2))
        self.words["SPEAKER"] = str(speaker)

    def start(self, arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
        """Start one command, with its output in `log`."""
        spelled = []
        for argument in arguments:
            for word, value in self.words.items():
                argument = re.sub(rf"^{word}(?=/|$)", value, argument)
            spelled.append(argument)
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "mtpeft", *spelled],
                cwd=self.checkout,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def finish(self, arguments: Sequence[str], serves: str = "", judged: bool = False) -> str:
        """Run one command to its end; what it said, where it failed.

        Args:
            arguments: Of `mtpeft`.
            serves: As in `Stage`.
            judged: As in `Stage`.
        """
        process = self.start(arguments)
        if serves:
            while process.poll() is None and serves not in self._log():
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
        code = process.wait()
        self.done.add(tuple(arguments))
        # 1: done, with something to look at.
        return (
            "" if code in ((0, 1, 2) if judged else (0, 1)) else f"exit code {code}: {self._log()}"
        )

    def _log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")[-2000:]

    def places(self) -> list[Path]:
        """Every folder that a stage may write into."""
        return [self.out, self.checkout, self.folder / "cache", self.temporary]

    def state(self) -> dict[str, str]:
        """SHA-256 of each file that is a result, by path, without what names times."""
        found = {}
        for place in self.places():
            for path in sorted(place.rglob("*")):
                hidden = path.name.endswith((".provenance.json", ".lock", ".log"))
                kept = not {_LOGS, "__pycache__"} & set(path.parts)
                if path.is_file() and not hidden and kept:
                    data = _TIMES.sub(b'"seconds":0', _untimed(path))
                    if place.name == "cache":  # append-only: a resumed run adds in another order
                        data = b"\n".join(sorted(data.split(b"\n")))
                    found[str(path.relative_to(self.folder))] = hashlib.sha256(data).hexdigest()
        return found

    def processes(self) -> list[int]:
        """Processes that a command of this bench started."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if self.mark.encode() in (entry / "environ").read_bytes():
                        found.append(int(entry.name))
        return found

    def leftovers(self) -> Iterator[str]:
        """Temporary files, held locks and processes."""
        for path in self.temporary.iterdir():
            yield f"left: {path.relative_to(self.folder)}"
        for place in self.places():
            for path in place.rglob("*"):
                if path.name.endswith(".part") or path.name.startswith("mtpeft-"):
                    yield f"left: {path.relative_to(self.folder)}"
                elif path.name.endswith(".lock") and path.is_file():
                    with path.open("rb") as stream:
                        try:
                            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        except BlockingIOError:
                            yield f"held: {path.relative_to(self.folder)}"
        if running := self.processes():
            yield f"running: {running}"

    def orphans(self) -> list[int]:
        """What still runs some time after its parent was killed; it is ended here."""
        end = time.monotonic() + ORPHANS_SECONDS
        while (running := self.processes()) and time.monotonic() < end:
            time.sleep(0.05)
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return running


def _untimed(path: Path) -> bytes:
    """A file's bytes; of a table without its columns of times."""
    data = path.read_bytes()
    if path.suffix != ".csv":
        return data
    rows = list(csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline="")))
    times = {n for n, name in enumerate(rows[0] if rows else []) if _TIMED.fullmatch(name)}
    if not times:
        return data
    kept = [[cell for n, cell in enumerate(row) if n not in times] for row in rows]
    return "\n".join("\t".join(row) for row in kept).encode()


def lacking(need: str, mirror: str) -> bool:
    """Whether this machine lacks what a stage needs."""
    if need == "mirror":
        return not mirror
    from importlib.util import find_spec

    return find_spec("torch") is None


def disturb(bench: Bench, stage: Stage, kills: int, rng: random.Random, until: float) -> Outcome:
    """Run one stage undisturbed, then kill it `kills` times, and say what became of it."""
    for command in stage.before:
        if tuple(command) not in bench.done and (problem := bench.finish(command)):
            return Outcome(stage.name, 0, 0, [f"{command}: {problem}"])
    first = bench.folder / "first"
    _replace(bench, first, restore=False)
    began = time.monotonic()
    problem = bench.finish(stage.arguments, stage.serves, stage.judged)
    outcome = Outcome(stage.name, time.monotonic() - began)
    if problem:
        outcome.problems.append(f"undisturbed: {problem}")
        return outcome
    wanted, always = bench.state(), set(bench.leftovers())  # a library's cache is none of a kill
    last = bench.folder / "last"
    _replace(bench, last, restore=False)
    while outcome.kills < kills and time.monotonic() < until:
        _replace(bench, first, restore=True)
        for _ in range(min(KILLS_BEFORE_THE_LAST_RUN, kills - outcome.kills)):
            process = bench.start(stage.arguments)
            try:
                process.wait(rng.uniform(0.1, 1.0) * outcome.seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            outcome.kills += 1
            if running := bench.orphans():
                outcome.problems.append(f"kill {outcome.kills}: {running} outlived their parent")
        if problem := bench.finish(stage.arguments, stage.serves, stage.judged):
            outcome.problems.append(f"after kill {outcome.kills}: {problem}")
        found = bench.state()
        for name in sorted(found.keys() | wanted.keys()):
            if found.get(name) != wanted.get(name):
                kind = "lost" if name not in found else "left" if name not in wanted else "differs"
                if kind == "differs" and name.endswith(tuple(stage.measured)):
                    continue
                outcome.problems.append(f"after kill {outcome.kills}: {kind}: {name}")
        outcome.problems += [
            f"after kill {outcome.kills}: {x}" for x in bench.leftovers() if x not in always
        ]
    _replace(bench, last, restore=True)
    shutil.rmtree(first)
    shutil.rmtree(last)
    return outcome


def _replace(bench: Bench, saved: Path, *, restore: bool) -> None:
    """Copy the folders that stages write into aside, or back."""
    for place in bench.places():
        source, target = (saved / place.name, place) if restore else (place, saved / place.name)
        shutil.rmtree(target, ignore_errors=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        elif place == bench.temporary:
            target.mkdir(parents=True)


class _Answers(BaseHTTPRequestHandler):
    """A server whose answer depends on the question alone."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        drawn = hashlib.sha256(body).digest()[0]
        text = "Yes" if drawn % 2 else "No"
        if b"adequacy" in body:  # a judge's question
            text = "\n".join(f"{name}: {drawn % 5 + 1}" for name in _CRITERIA)
        elif b"[number] score" in body:
            text = "\n".join(f"[{n}] {(drawn * n) % 101}" for n in range(1, 11))
        time.sleep(0.02)
        choice = {"message": {"content": text}, "finish_reason": "stop"}
        data = json.dumps({"choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def run(
    kills: int,
    names: Sequence[str] = (),
    mirror: str = "",
    until: float = float("inf"),
    say: Callable[[str], object] = print,
) -> list[Outcome]:
    """Disturb the stages.

    Args:
        kills: Of all stages together.
        names: Stages; empty: all that this machine can run.
        mirror: The folder for MTPEFT_MIRROR.
        until: When to stop, by `time.monotonic`.
        say: Prints a line for each stage.
    """
    chosen = [
        stage
        for stage in STAGES
        if (not names or stage.name in names) and not any(lacking(n, mirror) for n in stage.needs)
    ]
    rng = random.Random(SEED)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        Path(folder).chmod(0o711)  # the sandbox's user must reach its scratch below it
        bench = Bench(Path(folder), mirror)
        address = f"http://127.0.0.1:{server.server_port}/v1"
        bench.words["SERVER"] = address
        bench.environment |= {"MTPEFT_JUDGE_URL": address, "MTPEFT_JUDGE_MODEL": "m"}
        if any("torch" in stage.needs for stage in chosen):
            bench.backbone()
        for number, stage in enumerate(chosen):
            share = kills * (number + 1) // len(chosen) - kills * number // len(chosen)
            now = time.monotonic()
            share_of_time = (until - now) / (len(chosen) - number)
            outcome = disturb(bench, stage, share, rng, now + share_of_time)
            say(
                f"{stage.name}: {outcome.seconds:.1f} s, {outcome.kills} kills, "
                f"{len(outcome.problems)} problems"
            )
            for problem in outcome.problems:
                say(f"  {problem}")
            outcomes.append(outcome)
    server.shutdown()
    return outcomes


def main() -> int:
    """Read the command line; 1 where anything was lost or left."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--stage", action="append", default=[], choices=[s.name for s in STAGES])
    parser.add_argument("--mirror", default=os.environ.get("MTPEFT_MIRROR", ""))
    parser.add_argument("--minutes", type=float, default=float("inf"))
    chosen = parser.parse_args()
    outcomes = run(
        chosen.kills, chosen.stage, chosen.mirror, time.monotonic() + 60 * chosen.minutes
    )
    problems = sum(len(outcome.problems) for outcome in outcomes)
    print(f"{sum(o.kills for o in outcomes)} kills of {len(outcomes)} stages: {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
