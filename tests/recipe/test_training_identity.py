"""A training result or checkpoint is taken up by what decided it, and by nothing else."""

import functools
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

sys.path.insert(0, str(Path(__file__).parent))
from mtpeft.core.errors import MtpeftError
from mtpeft.tuning import identity
from mtpeft.tuning.job import Job
from mtpeft.tuning.once import on_each
from mtpeft.tuning.train import train
from tiny_backbone import build, job, with_settings


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("backbone"))


@pytest.fixture(scope="module")
def bases(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders that differ from the backbone in their weights or in their tokenizer alone."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("bases")
    for name in ("weights", "tokenizer"):
        shutil.copytree(backbone, folder / name)
    path = folder / "weights" / "model.safetensors"
    save_file({n: 1.5 * t for n, t in load_file(path).items()}, path, metadata={"format": "pt"})
    words = folder / "tokenizer" / "tokenizer_config.json"
    words.write_text(json.dumps({**json.loads(words.read_text()), "model_max_length": 77}))
    return {name: folder / name for name in ("weights", "tokenizer")}


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def changed(made: Job, what: str, bases: dict[str, Path]) -> Job:
    """The same folder, asked for with one thing changed."""
    one = made.train["generation"]
    return {
        "base_weights": lambda: replace(made, source=str(bases["weights"])),
        "tokenizer": lambda: replace(made, source=str(bases["tokenizer"])),
        "settings learning_rate": lambda: with_settings(made, learning_rate=0.001),
        "settings batch_size": lambda: with_settings(made, batch_size=1),
        "data train generation": lambda: replace(
            made, train={**made.train, "generation": one[:-1]}
        ),
        "data valid translation": lambda: replace(
            made, valid={**made.valid, "translation": made.valid["translation"][:1]}
        ),
    }[what]()


DECIDES = (
    "base_weights",
    "tokenizer",
    "settings learning_rate",
    "settings batch_size",
    "data train generation",
    "data valid translation",
)


@pytest.fixture(scope="module")
def begun(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Job]:
    """A finished run, and one that was cut off."""
    made = {
        name: job(backbone, tmp_path_factory.mktemp(name), "qlora", count=3, save_steps=1)
        for name in ("finished", "cut off")
    }
    train(made["finished"])
    train(made["cut off"], stop_at=2)
    return made


@pytest.mark.parametrize("what", DECIDES)
@pytest.mark.parametrize("how", ["finished", "cut off"])
def test_a_result_of_something_else_is_refused_and_left_alone(begun, bases, how, what):
    made = begun[how]
    before = bytes_below(made.folder)
    with pytest.raises(MtpeftError, match=what) as refused:
        train(changed(made, what, bases))
    assert "rm -r" in refused.value.fix and bytes_below(made.folder) == before


def test_what_is_refused_is_named_alone(begun):
    with pytest.raises(MtpeftError) as refused:
        train(with_settings(begun["finished"], learning_rate=0.001))
    assert refused.value.found.endswith("something else: settings learning_rate 0.005, not 0.001")


def test_a_folder_tells_corpus_base_and_limit_and_so_does_its_refusal(backbone, tmp_path):
    made = replace(job(backbone, tmp_path, "qlora", count=3), corpus="smoke", limit=3)
    train(made)
    kept = json.loads((made.folder / identity.FILE).read_text())[identity.CALLED]
    assert kept == {"base": str(backbone), "corpus": "smoke", "limit": 3}
    told = json.loads(next(made.result.glob("*.provenance.json")).read_text())
    assert (told["corpus"], told["limit"], told["base"]) == ("smoke", 3, str(backbone))
    card = (made.result / "README.md").read_text()
    assert "| corpus | smoke |" in card and "| limit | 3 |" in card
    # Another name of the same examples is the same result.
    before = bytes_below(made.folder)
    train(replace(made, corpus="also-smoke"))
    assert bytes_below(made.folder) == before
    fewer = {task: some[:-1] for task, some in made.train.items()}
    with pytest.raises(MtpeftError, match="something else: data train generation") as said:
        train(replace(made, train=fewer, limit=2))
    assert said.value.expected.endswith(f"begun with: base {backbone}, corpus smoke, limit 3")


@pytest.mark.parametrize(("name", "changed"), [("device", "cuda"), ("flash-attn", "2.8.3")])
def test_another_kind_of_device_or_a_kernel_that_was_installed_since_does_not_go_on(
    begun, name, changed, monkeypatch
):
    if name == "device":
        monkeypatch.setattr(identity, "kind", lambda: changed)
    else:
        found = identity._version
        monkeypatch.setattr(identity, "_version", lambda n: changed if n == name else found(n))
    with pytest.raises(MtpeftError, match=name):
        train(begun["cut off"])


@pytest.mark.parametrize("how", ["finished", "cut off"])
def test_another_number_of_processes_or_another_library_does_not_go_on(begun, how, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(MtpeftError, match="processes 1, not 2"):
        train(begun[how])
    monkeypatch.undo()
    monkeypatch.setattr(identity, "version", lambda name: "0.0")
    with pytest.raises(MtpeftError, match="libraries peft .*, not 0.0"):
        train(begun[how])
    monkeypatch.undo()
    monkeypatch.setattr(identity, "ROOMS", ("tuning",))
    with pytest.raises(MtpeftError, match="code"):
        train(begun[how])


def test_a_finished_run_whose_adapter_is_gone_or_changed_is_not_finished(backbone, tmp_path):
    made = job(backbone, tmp_path, "lora", count=2, weights="float32")
    weights = train(made) / "adapter_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(MtpeftError, match="has changed since"):
        train(made)
    shutil.rmtree(made.result)
    with pytest.raises(MtpeftError, match="is missing"):
        train(made)


def test_a_folder_that_does_not_say_what_it_is_of_is_not_taken_up(backbone, tmp_path):
    made = job(backbone, tmp_path, "lora", count=2, weights="float32", save_steps=1)
    train(made, stop_at=1)
    (made.folder / identity.FILE).unlink()
    with pytest.raises(MtpeftError, match="does not say"):
        train(made)


def test_the_effective_batch_does_not_depend_on_the_number_of_processes(backbone, tmp_path):
    given = job(backbone, tmp_path, batch_size=4, gradient_accumulation=6).settings
    for processes, micro in ((1, 4), (2, 4), (3, 4), (4, 3), (6, 4), (8, 3), (12, 2), (24, 1)):
        each = on_each(given, processes)
        assert (
            each.batch_size * each.gradient_accumulation * processes == 24
            and each.batch_size == micro
        )
    with pytest.raises(MtpeftError, match="24 rows a step on 5 processes"):
        on_each(given, 5)


def test_several_visible_devices_do_not_multiply_the_batch(backbone, tmp_path, monkeypatch):
    """transformers takes every visible GPU in a process that no launcher started; a 4-bit model
    escapes its replication.
    """
    from transformers import TrainingArguments

    one = job(backbone, tmp_path / "one", "qlora", count=4)
    train(one)
    original = TrainingArguments.__dict__["_setup_devices"].func

    def four(self: TrainingArguments) -> torch.device:
        device = original(self)
        self._n_gpu = 4
        return device

    devices = functools.cached_property(four)
    devices.__set_name__(TrainingArguments, "_setup_devices")
    monkeypatch.setattr(TrainingArguments, "_setup_devices", devices)
    several = job(backbone, tmp_path / "several", "qlora", count=4)
    train(several)
    assert (several.folder / "loss_curve.csv").read_bytes() == (
        one.folder / "loss_curve.csv"
    ).read_bytes()


@pytest.mark.parametrize("method", ["fft", "qlora"])
def test_a_run_that_diverges_stops_and_says_where(backbone, tmp_path, method):
    made = job(
        backbone,
        tmp_path,
        method,
        count=4,
        learning_rate=1e30,
        gradient_clipping=1e30,
        warmup_steps=0,
    )
    with pytest.raises(
        MtpeftError,
        match=r"loss of (generation|summarization|translation) is (nan|inf) in step \d+, rows \d+",
    ) as said:
        train(made)
    assert "learning_rate" in said.value.fix and not (made.folder / "finished.json").exists()


DIVERGES = {"count": 4, "learning_rate": 1e38, "gradient_clipping": 1e30, "warmup_steps": 0}


@pytest.mark.parametrize("method", ["fft", "qlora"])
def test_a_last_step_after_which_no_loss_is_computed_is_looked_at_too(backbone, tmp_path, method):
    made = job(backbone, tmp_path, method, max_steps=1, **DIVERGES)
    with pytest.raises(MtpeftError, match=r"weight is not finite after step 1") as said:
        train(made)
    assert "learning_rate" in said.value.fix and not (made.folder / "finished.json").exists()


def test_a_validation_loss_that_is_no_number_stops_the_run(backbone, tmp_path):
    chosen = {"selection": "loss", "eval_steps": 1, "max_steps": 1}
    made = job(backbone, tmp_path, "qlora", **chosen, **DIVERGES)
    with pytest.raises(MtpeftError, match="the validation loss of generation is nan after step 1"):
        train(made)


def test_an_attempt_that_trained_nothing_does_not_stand_in_the_way_of_the_next(backbone, tmp_path):
    """What its error tells the reader to do would be refused."""
    made = job(backbone, tmp_path, "qlora", max_steps=1, **DIVERGES)
    with pytest.raises(MtpeftError, match="not finite"):
        train(made)
    logs = {p for p in (made.folder / identity.LOGS).iterdir() if p.is_file()}
    assert logs
    train(with_settings(made, learning_rate=0.005, gradient_clipping=1.0))
    assert (made.folder / "finished.json").exists()
    assert not logs & set((made.folder / identity.LOGS).iterdir()), "curves of two runs in one"


def test_whatever_else_lies_in_a_folder_is_not_removed_with_an_attempt(tmp_path):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "weights").write_text("trained once")
    (tmp_path / identity.FILE).write_text('{"run": "a"}')
    with pytest.raises(MtpeftError, match="run a, not b"):
        identity.claim(tmp_path, {"run": "b"}, ["finished.json"])
    assert (tmp_path / "adapter" / "weights").read_text() == "trained once"


def test_one_of_several_processes_decides_about_a_folder(tmp_path, monkeypatch):
    """The others may look while it is being cleared; where it refuses, torchrun ends them."""
    place = tmp_path / "seed-1"
    (place / "adapter").mkdir(parents=True)
    (place / "adapter" / "weights").write_text("trained once")
    (place / identity.FILE).write_text('{"run": "a"}')
    monkeypatch.setenv("RANK", "1")
    identity.claim(place, {"run": "b"}, ["finished.json"])
    assert json.loads((place / identity.FILE).read_text()) == {"run": "a"}
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(MtpeftError, match="run a, not b"):
        identity.claim(place, {"run": "b"}, ["finished.json"])
