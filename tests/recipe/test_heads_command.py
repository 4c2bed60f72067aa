"""Runs of study B by the front door: each trains, its predictions are scored and compared; a second
call computes nothing.
"""

import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

if importlib.util.find_spec("torch") is None:
    pytest.skip("the group `train` is not installed (make .venv/.train)", allow_module_level=True)

from mtpeft.catalog import Catalog, catalog
from mtpeft.catalog.schema import Block, Comparison
from mtpeft.cli import app
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.paths import REGENERATED
from mtpeft.core.records import Prediction, ScoreSet, read_frame, read_predictions
from mtpeft.corpora import evaluation_of
from mtpeft.corpora.analysis import own
from mtpeft.smoke.flaky import CONFIGURATIONS, Size
from mtpeft.smoke.flaky import run as flaky_cpu
from mtpeft.statistics.compare import run_all
from mtpeft.tuning.settings import HEADS, TOKENS, objective_of, resolve
from mtpeft.tuning.tiny import save_encoder, train_tokenizer
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

pytestmark = pytest.mark.recipe
PAIR = "unixcoder-base/mt-serial_adapter/flaky-detection+code-search"
ALONE = "unixcoder-base/st-serial_adapter/flaky-detection"
RUNS = catalog().of("runs", "multitask-peft")


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny RoBERTa as a folder, as any base model is."""
    texts = (
        text
        for task in catalog().studies["multitask-peft"].tasks
        for example in own(task, "train")
        for text in example.inputs.values()
    )
    return save_encoder(tmp_path_factory.mktemp("backbone"), texts)


def command(*arguments: str, code: int = 0) -> str:
    """The command line, in this process."""
    done = CliRunner().invoke(app, list(arguments))
    if isinstance(done.exception, MtpeftError):
        raise done.exception
    assert done.exit_code == code, done.output + repr(done.exception)
    return done.stdout


def train(run: str, backbone: str, *more: str) -> str:
    return command(
        "train",
        run,
        "--corpus",
        "multitask-peft-own",
        "--backbone",
        backbone,
        "--set",
        "epochs=2",
        "--set",
        "batch_size=4",
        "--set",
        "code_length=64",
        *more,
    )


@pytest.fixture(scope="module")
def trained(backbone: str) -> Path:
    """A pair of tasks with two seeds and one of its tasks alone; the folder of the pair."""
    train(PAIR, backbone, "--seed", "1", "--seed", "2")
    train(ALONE, backbone, "--seed", "1")
    return REGENERATED / "training" / "fast" / PAIR


def test_every_run_of_the_catalog_has_settings_under_every_profile() -> None:
    assert len(RUNS) == 170 and {objective_of(r) for r in RUNS} == {HEADS}
    others = catalog().of("runs", "multitask-qlora")
    assert {objective_of(r) for r in others} == {TOKENS}
    for run in RUNS:
        found = {profile: resolve(run, profile) for profile in ("fast", "faithful", "paper")}
        assert found["faithful"].mixing == "temperature"
        assert found["paper"].balancing == "learnable-softmax"
        assert found["fast"].group_by_length and not found["faithful"].group_by_length
    assert resolve(catalog().get("runs", "unixcoder-base/mt-fft"), "faithful").batch_size == 16


def test_settings_that_are_none_are_answered_with_the_nearest() -> None:
    entry = catalog().get("runs", PAIR)
    for changes, near in (
        ({"balancin": "famo"}, "balancing"),
        ({"mixing": "round-robbin"}, "round-robin"),
        ({"bottlenek": 8}, "bottleneck"),
        ({"schedule": "cosine"}, "linear"),
    ):
        with pytest.raises(UnknownName, match=near):
            resolve(entry, "fast", changes)
    with pytest.raises(MtpeftError, match="a int"):
        resolve(entry, "fast", {"epochs": "many"})
    assert resolve(entry, "fast", {"bottleneck": 8}).bottleneck == 8


def test_tasks_whose_outputs_need_different_objectives_are_no_run() -> None:
    both = replace(catalog().get("runs", PAIR), tasks=["generation", "flaky-detection"])
    with pytest.raises(MtpeftError, match=r"generation \(code\), flaky-detection \(label\)"):
        resolve(both, "fast")


def test_texts_longer_than_the_positions_are_refused_before_training(backbone: str) -> None:
    with pytest.raises(MtpeftError, match="code_length is 512") as caught:
        command("train", PAIR, "--corpus", "multitask-peft-own", "--backbone", backbone)
    assert caught.value.fix == "--set code_length=79"


def test_one_file_is_no_corpus_to_train_on(tmp_path: Path, backbone: str) -> None:
    with pytest.raises(MtpeftError, match="three splits"):
        command("train", PAIR, "--corpus", str(tmp_path / "all.jsonl"), "--backbone", backbone)


def test_results_hold_every_seed_and_what_no_model_scores(trained: Path) -> None:
    table = read_frame(trained / "results.csv", numeric=["value"])
    mine = table[table["row"] == PAIR]
    assert set(mine["seeds"]) == {"2"} and set(mine["task"]) == {"flaky-detection", "code-search"}
    assert {"always yes", "always no", "majority", "random ranking"} < set(table["row"])
    assert (trained / "results.csv.provenance.json").is_file()


def test_predictions_agree_with_the_reported_scores(trained: Path) -> None:
    for seed in (1, 2):
        outcome = json.loads((trained / f"seed-{seed}" / "finished.json").read_text())["kept"]
        found = [
            p
            for p in read_predictions(
                trained / f"seed-{seed}" / "predictions" / "flaky-detection-flakeflagger.jsonl"
            )
            if isinstance(p, Prediction)
        ]
        right = {e.id: e.target for e in own("flaky-detection", "test")}
        assert [p.instance_id for p in found] == list(right)
        assert (
            sum(p.output == right[p.instance_id] for p in found) / len(found)
            == outcome["test"]["flaky-detection"]["acc"]
        )
        assert all((float(p.raw_output) > 0.5) == (p.output == "1") for p in found)
        ranks = [
            int(p.output)
            for p in read_predictions(
                trained / f"seed-{seed}" / "predictions" / "code-search-advtest.jsonl"
            )
        ]
        assert sum(1 / r for r in ranks) / len(ranks) == pytest.approx(
            outcome["test"]["code-search"]["mrr"]
        )


def test_a_second_call_computes_nothing(trained: Path, backbone: str) -> None:
    before = {p: p.stat().st_mtime_ns for p in trained.glob("seed-*/**/*") if p.is_file()}
    train(PAIR, backbone, "--seed", "1", "--seed", "2")
    assert before == {p: p.stat().st_mtime_ns for p in trained.glob("seed-*/**/*") if p.is_file()}


def test_the_saved_module_predicts_the_same_again(trained: Path, backbone: str) -> None:
    sets = ("flaky-detection-flakeflagger", "code-search-advtest")
    paths = [trained / "seed-2" / "predictions" / f"{name}.jsonl" for name in sets]
    first = [[(p.instance_id, p.raw_output) for p in read_predictions(path)] for path in paths]
    for path in paths:
        path.unlink()
    command("infer", PAIR, "--corpus", "multitask-peft-own", "--backbone", backbone, "--seed", "2")
    assert [
        [(p.instance_id, p.raw_output) for p in read_predictions(path)] for path in paths
    ] == first
    with pytest.raises(MtpeftError, match="no heads of"):
        command(
            "infer", PAIR, "--corpus", "multitask-peft-own", "--backbone", backbone, "--seed", "7"
        )


def test_a_model_that_gives_no_numbers_fails_and_is_counted(
    trained: Path, backbone: str, tmp_path: Path
) -> None:
    broken = shutil.copytree(trained / "seed-2" / "best", tmp_path / "best")
    with safe_open(broken / "heads.safetensors", "pt") as stored:
        told = stored.metadata()
    heads = load_file(broken / "heads.safetensors")
    save_file({n: t * math.nan for n, t in heads.items()}, broken / "heads.safetensors", told)
    place = ("--corpus", "multitask-peft-own", "--backbone", backbone, "--seed", "9")
    said = command("infer", PAIR, *place, "--adapter", str(broken), code=1)
    path = trained / "seed-9" / "predictions" / "flaky-detection-flakeflagger.jsonl"
    found = list(read_predictions(path))
    assert found and all(p.error and not p.output for p in found)
    assert f"{len(found)} have no finite value" in said
    shutil.rmtree(trained / "seed-9")


def test_a_limit_would_change_what_heads_search(trained: Path, backbone: str) -> None:
    with pytest.raises(MtpeftError, match="another search"):
        command("infer", PAIR, "--backbone", backbone, "--seed", "2", "--limit", "3")


def test_another_base_model_neither_trains_nor_predicts_in_the_same_folder(
    trained: Path, backbone: str, tmp_path: Path
) -> None:
    other = shutil.copytree(backbone, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    save_file(
        {name: 1.5 * tensor for name, tensor in weights.items()},
        other / "model.safetensors",
        metadata={"format": "pt"},
    )
    before = {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()}
    with pytest.raises(MtpeftError, match="base_weights"):
        train(PAIR, str(other), "--seed", "1")
    with pytest.raises(MtpeftError, match="base_weights"):
        command(
            "infer", PAIR, "--corpus", "multitask-peft-own", "--backbone", str(other), "--seed", "2"
        )
    with pytest.raises(MtpeftError, match="data train code-search"):
        train(PAIR, backbone, "--seed", "1", "--limit", "3")
    assert before == {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()}


def test_predictions_are_scored_and_two_runs_compared_like_those_of_study_a(
    trained: Path, tmp_path: Path
) -> None:
    files = [
        *(trained / "seed-1" / "predictions").glob("*.jsonl"),
        *(REGENERATED / "training" / "fast" / ALONE / "seed-1" / "predictions").glob("*.jsonl"),
    ]
    together = tmp_path / "all.jsonl"
    together.write_bytes(b"".join(p.read_bytes() for p in files))
    command(
        "score",
        str(together),
        "classes",
        "ranks",
        "--corpus",
        "multitask-peft-own",
        "--out",
        str(tmp_path),
    )
    scores = ScoreSet.load(tmp_path)
    assert {key[1] for key in scores.tables} == {
        "flaky-detection-flakeflagger",
        "code-search-advtest",
    }
    task = "flaky-detection-flakeflagger"
    asked = Comparison(
        "pair",
        "b",
        "",
        "pair against alone",
        "mcnemar",
        task,
        "id",
        "block",
        "holm",
        "pair",
        "alone",
        [Block("flaky", PAIR, ALONE)],
        ["class_correct"],
        [],
    )
    known = Catalog(**{**catalog().__dict__, "comparisons": {"pair": asked}})
    test = next(t for t in run_all(scores, [asked], known) if t.protocol == "corrected")
    assert test.n_pairs == len(own("flaky-detection", "test")) and test.n_dropped == 0


def test_the_name_of_an_evaluation_set_says_which_one_was_predicted() -> None:
    assert evaluation_of("code-search", "multitask-peft-cloze") == "code-search-cloze"
    assert evaluation_of("code-search", "multitask-peft") == "code-search-advtest"


def test_a_killed_training_goes_on_and_ends_in_the_same_bytes(
    backbone: str, tmp_path: Path, root: Path
) -> None:
    """SIGKILL from inside, after the state of step 2 was written; the rest is another process's."""
    kill = (
        "import os, signal\nfrom mtpeft.tuning.objective.heads import HeadsTrainer as T\n"
        "save = T._save_checkpoint\n"
        "def once(*given):\n    save(*given)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "T._save_checkpoint = once if os.environ.get('KILL') else save\n"
        "from mtpeft.cli import main\nmain()\n"
    )
    arguments = [
        sys.executable,
        "-c",
        kill,
        "train",
        ALONE,
        "--corpus",
        "multitask-peft-own",
        "--backbone",
        backbone,
        "--set",
        "code_length=64",
        "--set",
        "epochs=2",
        "--set",
        "batch_size=4",
        "--set",
        "save_steps=2",
    ]
    folder = Path("training") / "fast" / ALONE / "seed-42"
    for value in ("yes", ""):
        environment = os.environ | {
            "MTPEFT_OUT": str(tmp_path),
            "KILL": value,
            "OMP_NUM_THREADS": "1",
        }
        done = subprocess.run(
            arguments, cwd=root, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == (-9 if value else 0), done.stderr[-2000:]
        assert bool(value) == (tmp_path / folder / "checkpoints").exists()
    train(ALONE, backbone, "--seed", "42", "--set", "save_steps=2")
    killed, whole = tmp_path / folder, REGENERATED / folder
    for name in ("shared", "heads"):
        assert (killed / "best" / f"{name}.safetensors").read_bytes() == (
            whole / "best" / f"{name}.safetensors"
        ).read_bytes()
    histories = [
        json.loads((p / "finished.json").read_text())["kept"]["history"] for p in (killed, whole)
    ]
    assert histories[0] == histories[1]


def test_the_flaky_table_has_every_configuration_beside_baselines_and_keeps_what_is_finished(
    tmp_path: Path,
) -> None:
    size = Size(
        vocabulary=300,
        hidden=16,
        heads=2,
        length=24,
        pretraining=1,
        epochs=1,
        batch=8,
        bottleneck=4,
    )
    rows = {r["configuration"]: r for r in flaky_cpu(size, tmp_path, own)}
    assert set(CONFIGURATIONS) | {"always yes", "always no", "majority", "random ranking"} < set(
        rows
    )
    assert rows["always yes"]["f1"] == pytest.approx(2 / 3) and rows["always no"]["f1"] == 0
    full = [rows[f"{what}, full"] for what in ("flaky tests", "code search", "both tasks")]
    # In an epoch every configuration sees each example once: both tasks together cost what they cost apart,
    # adapters cost less.
    assert (
        full[2]["tokens"] == full[0]["tokens"] + full[1]["tokens"] and full[0]["flops_saved"] == 0
    )
    assert (
        full[2]["flops_saved"] == pytest.approx(0, abs=0.05)
        and rows["both tasks, serial adapter"]["flops_saved"] > 0.1
    )
    kept = {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/**/*.safetensors")}
    assert len(kept) == 1 + 2 * len(CONFIGURATIONS)
    again = {r["configuration"]: r for r in flaky_cpu(size, tmp_path, own, jobs=1)}
    assert repr(again) == repr(rows) and kept == {
        p: p.stat().st_mtime_ns for p in tmp_path.glob("*/**/*.safetensors")
    }


@pytest.fixture(scope="module")
def chatting(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model with a chat template, which knows nothing."""
    from mtpeft.tuning.tiny import save_backbone, tiny_model

    folder = tmp_path_factory.mktemp("chatting")
    tokenizer = train_tokenizer(
        (t for e in own("code-search", "train") for t in e.inputs.values()), 400
    )
    save_backbone(folder, tokenizer, tiny_model(tokenizer))
    return str(folder)


def test_a_local_model_is_prompted_and_what_it_said_is_kept_and_scored(
    chatting: str, tmp_path: Path
) -> None:
    out = tmp_path / "p.jsonl"
    arguments = (
        "prompt",
        "flaky-detection",
        "--corpus",
        "multitask-peft-own",
        "--shots",
        "2",
        "--model",
        chatting,
        "--out",
        str(out),
    )
    said = command(*arguments)
    assert (
        "always yes" in said and "permissive (study, few-shot)" in said and "no_answer 4" in said
    ), "a model that knows nothing answered"
    before = out.read_bytes()
    assert command(*arguments) == said and out.read_bytes() == before
    alone = tmp_path / "alone.jsonl"
    command(*arguments[:-1], str(alone), "--at-once", "1")
    answers = [
        [(p.instance_id, p.prompt_sha256, p.raw_output) for p in read_predictions(path)]
        for path in (out, alone)
    ]
    assert answers[0] == answers[1], "a batch answers as each question by itself"
    words = ("score", str(out), "classes", "--corpus", "multitask-peft-own", "--out", str(tmp_path))
    command(*words, code=2)  # no answer could be scored
    table = read_frame(tmp_path / "scores" / "classes" / "flaky-detection-flakeflagger.csv")
    assert set(table["status"]) == {"empty"} and set(table["class_correct"]) == {""}


@pytest.mark.parametrize("stage", ["bm25", "embeddings"])
def test_a_local_model_ranks_what_the_first_stage_found(
    stage: str, chatting: str, tmp_path: Path
) -> None:
    out = tmp_path / "p.jsonl"
    said = command(
        "rank",
        "--corpus",
        "multitask-peft-own",
        "--split",
        "train",
        "--candidates",
        "3",
        "--stage1",
        stage,
        "--model",
        chatting,
        "--out",
        str(out),
    )
    near = [json.loads(line) for line in (tmp_path / "p.candidates.jsonl").read_text().splitlines()]
    assert [len(set(n["candidates"])) for n in near] == [3] * len(own("code-search", "train"))
    assert (
        "stage 1 alone" in said
        and "ceiling" in said
        and len(out.read_text().splitlines()) == len(near)
    )


OUTSIDE = {
    "catalog/tasks/comment-detection.yaml": """id: comment-detection
title: Comment detection
abbreviation: CO
module: elsewhere.comments
output: label
evaluations:
  - {id: comment-detection-own, title: Comments, language: java, instances: 8}
""",
    "catalog/methods/norms.yaml": """id: norms
extends: with-heads
title: Norms alone
module: elsewhere.norms
heads: {learning_rate: 1.0e-2, epochs: 2, part: LayerNorm}
""",
    "catalog/runs/norms.yaml": """id: unixcoder-base/mt-norms/flaky-detection+comment-detection
backbone: unixcoder-base
method: norms
regime: mt
tasks: [flaky-detection, comment-detection]
""",
    "modules/elsewhere/__init__.py": "",
    "modules/elsewhere/comments.py": """def texts(example):
    return (example.inputs["line"],)


def label(example):
    return int(example.target)
""",
    "modules/elsewhere/norms.py": """from mtpeft.models.methods import Attached, tensors_saver


def attach(encoder, backbone, how):
    for name, parameter in encoder.named_parameters():
        parameter.requires_grad_(how["part"] in name)
    return Attached(encoder, *tensors_saver(encoder))
""",
    "modules/elsewhere/corpus.py": """from mtpeft.corpora import Example
from mtpeft.corpora.analysis import own


def examples(task, split):
    if task == "flaky-detection":
        return own(task, split)
    lines = [f"// note {i}" if i % 2 else f"int x{i};" for i in range(8)]
    return [Example(f"{split}-{i}", task, "java", {"line": line}, str(i % 2)) for i, line in enumerate(lines)]
""",
}


def test_a_fifth_task_and_a_sixth_method_from_outside_train_predict_and_are_scored(
    mtpeft, backbone: str, tmp_path: Path, root: Path
) -> None:
    for name, text in OUTSIDE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    where = {
        "MTPEFT_CATALOG": str(tmp_path / "catalog"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join((str(root / "code"), str(tmp_path / "modules"))),
    }
    run = "unixcoder-base/mt-norms/flaky-detection+comment-detection"
    done = mtpeft(
        "train",
        run,
        "--corpus",
        "elsewhere.corpus",
        "--backbone",
        backbone,
        "--set",
        "code_length=64",
        **where,
    )
    assert done.returncode == 0, done.stderr
    best = tmp_path / "out" / "training" / "fast" / run / "seed-42" / "best" / "shared.safetensors"
    from safetensors.torch import load_file

    assert sum(t.numel() for t in load_file(best).values()) == 2 * 16 * (1 + 2 * 2)
    predictions = best.parents[1] / "predictions" / "comment-detection-own.jsonl"
    assert sum(isinstance(p, Prediction) for p in read_predictions(predictions)) == 8
    done = mtpeft(
        "score",
        str(predictions),
        "classes",
        "--corpus",
        "elsewhere.corpus",
        "--out",
        str(tmp_path),
        **where,
    )
    assert done.returncode == 0, done.stderr
    scored = read_frame(tmp_path / "scores" / "classes" / "comment-detection-own.csv")
    assert set(scored["status"]) == {"ok"} and len(scored) == 8
