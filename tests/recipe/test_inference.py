"""Inference on a tiny backbone: batching, resuming, failing, cutting."""

import json
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

import torch

sys.path.insert(0, str(Path(__file__).parent))
from mtpeft.core.errors import BadInput, MtpeftError, Unavailable, UnknownName
from mtpeft.core.locks import InUse
from mtpeft.core.records import Prediction, read_predictions
from mtpeft.corpora import Example, evaluation
from mtpeft.inference import backends
from mtpeft.inference.backends import TINY, Transformers, backend
from mtpeft.inference.batches import batches
from mtpeft.inference.generate import Generated, generate, texts
from mtpeft.inference.prompting import Local, ask
from mtpeft.inference.settings import InferenceProfile, TaskDecoding, profile
from mtpeft.inference.stage import Request, drop_errors, failed, infer
from mtpeft.models.base import load_tokenizer
from mtpeft.models.device import DeviceLost
from mtpeft.tasks import rendered_prompt, wording
from mtpeft.tasks.rendering import prompt_sha256
from mtpeft.tuning.train import train
from tiny_backbone import build, job


@pytest.fixture(scope="session")
def backbone(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    return build(tmp_path_factory.mktemp("backbone"))


@pytest.fixture(scope="session")
def trained(backbone, tmp_path_factory):
    """A full fine-tuning run long enough that answers end by themselves and differ in length."""
    made = job(
        backbone,
        tmp_path_factory.mktemp("run"),
        "fft",
        ["summarization"],
        count=12,
        epochs=25,
        learning_rate=0.01,
    )
    train(made)
    return Transformers(str(backbone), made.result, "float32", False)


@pytest.fixture(scope="session")
def prompts(trained):
    return [
        rendered_prompt(e, trained.tokenizer, wording())
        for e in evaluation("summarization-java", "smoke", "train")[:14]
    ]


SHORT = InferenceProfile(
    "short", tasks={"summarization": TaskDecoding(new_tokens=24)}, tokens_in_flight=1500
)


def request(count=7, **changes) -> Request:
    examples = evaluation("summarization-java", "smoke", "train")[:count]
    return Request(
        **{
            "run": "tiny/x",
            "evaluation": "summarization-java",
            "regime": "mt",
            "profile": SHORT,
            "examples": examples,
            **changes,
        }
    )


def test_batched_answers_are_those_given_one_at_a_time(trained, prompts):
    alone = [generate(trained.model, trained.tokenizer, [p], 40)[0] for p in prompts]
    together = generate(trained.model, trained.tokenizer, prompts, 40)
    assert together == alone
    assert {a.finish_reason for a in alone} >= {"stop"} and len({a.tokens for a in alone}) > 1, (
        "a trivial case proves nothing"
    )


def test_answers_are_those_of_the_librarys_own_generation(trained, prompts):
    encoded = trained.tokenizer(
        prompts, return_tensors="pt", padding=True, add_special_tokens=False
    )
    theirs = trained.model.generate(**encoded, max_new_tokens=40, do_sample=False)[
        :, encoded["input_ids"].shape[1] :
    ]
    assert [
        g.text for g in generate(trained.model, trained.tokenizer, prompts, 40)
    ] == trained.tokenizer.batch_decode(theirs, skip_special_tokens=True)


def test_answers_come_back_in_the_order_of_the_prompts(trained, prompts):
    assert texts(trained.model, trained.tokenizer, prompts, 16, tokens_in_flight=600) == [
        generate(trained.model, trained.tokenizer, [p], 16)[0].text for p in prompts
    ]


def test_an_answer_at_the_limit_says_so(trained, prompts):
    made = generate(trained.model, trained.tokenizer, prompts[:3], 2)
    assert all(g.finish_reason == "length" and g.tokens == 2 for g in made)


def test_batches_hold_every_prompt_once_and_respect_the_budget():
    lengths = [5, 100, 7, 50, 100, 1]
    made = list(batches(lengths, 10, 220))
    assert sorted(i for batch in made for i in batch) == list(range(6))
    assert all(len(b) == 1 or len(b) * (max(lengths[i] for i in b) + 10) <= 220 for b in made)
    assert made[0][0] == 1, "the longest comes first"
    assert list(batches(lengths, 10, 10**9, size=4)) == [[0, 1, 2, 3], [4, 5]], "as the study did"


def test_a_killed_run_resumes_by_instance(trained, tmp_path):
    whole = infer(request(), trained, tmp_path / "whole.jsonl")
    path = infer(request(count=3), trained, tmp_path / "killed.jsonl")
    with open(path, "a") as stream:
        stream.write('{"run": "tiny/x", "task": "summ')  # the line that a kill cut off
    infer(request(), trained, tmp_path / "killed.jsonl")

    def outputs(p):
        return {
            r.instance_id: (r.raw_output, r.output, r.finish_reason, r.prompt_sha256)
            for r in read_predictions(p)
        }

    assert outputs(path) == outputs(whole) and len(outputs(path)) == 7


def test_answers_are_written_as_batches_finish_and_batches_are_as_small_as_asked(trained, tmp_path):
    path, written = tmp_path / "p.jsonl", []

    class Watched(Broken):
        def answers(self, prompts, *arguments):
            written.append((len(prompts), len(path.read_text().splitlines()) if written else 0))
            return self._backend.answers(prompts, *arguments)

    infer(request(tokens_in_flight=1), Watched(trained, "", ""), path)
    assert written == [(1, n) for n in range(7)]


def test_a_run_that_goes_on_has_the_batches_of_one_that_was_not_cut_off(trained, tmp_path):
    """What else is in a batch moves the rounding of bfloat16."""
    asked: list[tuple[str, ...]] = []

    class Watched(Broken):
        def answers(self, prompts, *arguments):
            asked.append(tuple(prompts))
            return self._backend.answers(prompts, *arguments)

    whole = tmp_path / "whole.jsonl"
    infer(request(tokens_in_flight=480), Watched(trained, "", ""), whole)
    every, written = list(asked), whole.read_text().splitlines(keepends=True)
    assert len(every) > 2
    asked.clear()
    cut = tmp_path / "cut.jsonl"
    ids = {r.prompt_sha256 for r in read_predictions(whole)}
    first = {prompt_sha256(p) for p in every[0]}
    assert first < ids
    cut.write_text("".join(line for line in written if json.loads(line)["prompt_sha256"] in first))
    infer(request(tokens_in_flight=480), Watched(trained, "", ""), cut)
    assert asked == every[1:]


@pytest.mark.parametrize("configured", [False, True])
def test_scores_that_are_no_numbers_are_errors_and_no_words(backbone, tmp_path, configured):
    """An argmax over NaN is a word all the same."""
    broken = Transformers(str(backbone), None, "float32", False)
    decoding = TaskDecoding(4, as_configured=configured)
    profile = InferenceProfile("clean", tasks={"summarization": decoding})
    asked = replace(request(), profile=profile)
    with torch.no_grad():
        broken.model.model.norm.weight.fill_(float("nan"))
    path = infer(asked, broken, tmp_path / "p.jsonl")
    found = list(read_predictions(path))
    assert len(found) == len(asked.examples) == failed(path)
    assert all("no finite numbers" in r.error and not r.raw_output for r in found)


def test_a_model_without_a_cache_of_keys_is_refused(backbone, tmp_path):
    from mtpeft.tuning.tiny import save_backbone
    from transformers import MambaConfig, MambaForCausalLM

    words = load_tokenizer(str(backbone))
    config = MambaConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=1, state_size=4)
    save_backbone(tmp_path, words, MambaForCausalLM(config))
    with pytest.raises(MtpeftError, match="MambaForCausalLM keeps no keys and values"):
        Transformers(str(tmp_path), None, "float32", False)


def test_on_a_cpu_a_batch_has_two_gigabytes_whatever_the_model():
    """SmolLM2-135M in float32: 30 layers with keys and values of 3 heads of 64, a width of 576, 1,536 in
    the feed-forward block: 4 × (2 × 30 × 192 + 6 × 576 + 3 × 1536) = 78,336 bytes a token.
    """
    weights = [torch.nn.Parameter(torch.empty(TINY + 1, device="meta"))]
    config = SimpleNamespace(
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        hidden_size=576,
        intermediate_size=1536,
    )
    model = SimpleNamespace(
        device=torch.device("cpu"), dtype=torch.float32, config=config, parameters=lambda: weights
    )
    assert backends.fitting(model) == 2_000_000_000 // 78_336
    weights.clear()
    assert backends.fitting(model) == 0


def test_a_second_process_does_not_write_the_same_records_again(trained, tmp_path):
    path, refused = tmp_path / "p.jsonl", []

    class Meanwhile:
        name, tokenizer, tokens_in_flight = trained.name, trained.tokenizer, 0

        def answers(self, *arguments):
            def second():
                try:
                    infer(request(count=3), trained, path)
                except InUse as error:
                    refused.append(error)

            thread = threading.Thread(target=second)
            thread.start()
            thread.join()
            return trained.answers(*arguments)

    infer(request(count=3), Meanwhile(), path)
    assert refused and len(path.read_text().splitlines()) == 3


class Broken:
    """Fails at some instances, in the way it is told."""

    def __init__(self, backend, message, at):
        self.name, self.tokenizer, self.calls = backend.name, backend.tokenizer, 0
        self.tokens_in_flight = backend.tokens_in_flight
        self._backend, self._message, self._at = backend, message, at

    def answers(self, prompts, *arguments):
        self.calls += 1
        if any(self._at in p for p in prompts):
            raise RuntimeError(self._message)
        return self._backend.answers(prompts, *arguments)


def test_a_lost_device_stops_the_run_and_no_instance_is_charged(trained, tmp_path):
    broken = Broken(trained, "CUDA error: an illegal memory access was encountered", "")
    with pytest.raises(DeviceLost, match="illegal memory access"):
        infer(request(), broken, tmp_path / "p.jsonl")
    assert broken.calls == 1 and not (tmp_path / "p.jsonl").exists()


def test_failed_instances_are_counted(trained, tmp_path):
    asked = request()
    mark = asked.examples[0].inputs["code"]
    path = infer(asked, Broken(trained, "shape mismatch", mark), tmp_path / "p.jsonl")
    assert failed(path) == 1 and len(path.read_text().splitlines()) == 7


def test_a_run_in_which_instances_failed_ends_with_1(monkeypatch):
    from mtpeft.cli import app
    from typer.testing import CliRunner

    for failures in (0, 3):
        monkeypatch.setattr("mtpeft.inference.command.run", lambda *_, n=failures: n)
        done = CliRunner().invoke(app, ["infer", "run", "qwen2.5-coder-0.5b/mt-qlora"])
        assert done.exit_code == bool(failures)


def test_a_finished_file_is_not_touched(trained, tmp_path):
    path = infer(request(), trained, tmp_path / "p.jsonl")
    before = path.read_bytes()
    infer(request(), trained, tmp_path / "p.jsonl")
    assert path.read_bytes() == before


def test_predictions_of_other_prompts_are_not_continued(trained, tmp_path):
    infer(request(count=3), trained, tmp_path / "p.jsonl")
    other = [
        type(e)(**{**e.__dict__, "inputs": {"code": e.inputs["code"] + " "}})
        for e in request().examples
    ]
    with pytest.raises(MtpeftError, match="another prompt"):
        infer(request(examples=other), trained, tmp_path / "p.jsonl")


def test_answers_of_another_adapter_are_not_continued(trained, tmp_path):
    """Equal prompts, another seed: without this the answers of the first would pass for those of
    the second.
    """
    infer(request(count=3, model_identity={"seed": 42}), trained, tmp_path / "p.jsonl")
    infer(request(model_identity={"seed": 42}), trained, tmp_path / "p.jsonl")
    with pytest.raises(MtpeftError, match="seed 42") as refused:
        infer(request(model_identity={"seed": 43}), trained, tmp_path / "p.jsonl")
    assert refused.value.expected == "seed 43"


def test_an_empty_evaluation_set_is_an_error_and_not_a_crash(trained, tmp_path):
    with pytest.raises(MtpeftError, match="no instances"):
        infer(request(count=0), trained, tmp_path / "p.jsonl")


def test_a_malformed_line_is_refused_by_number(trained, tmp_path):
    path = infer(request(count=2), trained, tmp_path / "p.jsonl")
    path.write_text(path.read_text() + "{]\n")
    with pytest.raises(BadInput, match=":3"):
        infer(request(), trained, tmp_path / "p.jsonl")


def test_an_instance_that_fails_is_a_record_and_costs_no_other(trained, tmp_path):
    class Fails:
        name, tokenizer, tokens_in_flight = "failing", trained.tokenizer, 0

        def __init__(self, marker):
            self.marker = marker

        def answers(self, some, new_tokens, input_tokens):
            if self.marker and any(self.marker in p for p in some):
                raise RuntimeError("device-side assert")
            return trained.answers(some, new_tokens, input_tokens)

    marker = request().examples[2].inputs["code"].splitlines()[0]
    path = infer(request(), Fails(marker), tmp_path / "p.jsonl")
    records = [r for r in read_predictions(path) if isinstance(r, Prediction)]
    bad = [r for r in records if r.finish_reason == "error"]
    assert (
        len(records) == 7
        and len(bad) == 1
        and "device-side assert" in bad[0].error
        and bad[0].output == ""
    )
    assert drop_errors(path) == 1
    infer(request(), Fails(""), tmp_path / "p.jsonl")
    assert len({r.instance_id for r in read_predictions(path) if r.finish_reason != "error"}) == 7


def test_predictions_made_again_in_other_batches_are_the_same_strings(trained, tmp_path):
    """T3 from beginning to end: the reference, made again one prompt at a time, is exact."""
    from mtpeft.verification.answers import compare, read

    alone = InferenceProfile(
        "alone", tasks={"summarization": TaskDecoding(new_tokens=24, batch_size=1)}
    )
    (verdict,), flips = compare(
        read(infer(request(), trained, tmp_path / "a.jsonl")),
        read(infer(request(profile=alone), trained, tmp_path / "b.jsonl")),
    )
    assert verdict.verdict == "exact" and "7 of 7 strings" in verdict.reason and not flips


def test_memory_that_runs_out_halves_the_batch(trained, prompts, monkeypatch):
    import mtpeft.inference.backends as module

    sizes = []

    def limited(model, tokenizer, some, *more):
        sizes.append(len(some))
        if len(some) > 2:
            raise torch.OutOfMemoryError("pretended")
        return generate(model, tokenizer, some, *more)

    monkeypatch.setattr(module, "generate", limited)
    made = trained.answers(prompts[:5], 8, 0)
    assert (
        made == generate(trained.model, trained.tokenizer, prompts[:5], 8)
        and sizes[0] == 5
        and min(sizes) <= 2
    )


def test_the_studys_truncation_cuts_the_assistants_header(trained):
    long = rendered_prompt(
        evaluation("summarization-java", "smoke", "train")[0], trained.tokenizer, wording()
    )
    kept = trained.tokenizer([long], truncation=True, max_length=12, add_special_tokens=False)[
        "input_ids"
    ][0]
    assert "assistant" not in trained.tokenizer.decode(kept)
    assert generate(trained.model, trained.tokenizer, [long], 4, input_tokens=12)[0].tokens <= 4


def test_a_local_model_sees_the_question_of_a_long_prompt_and_the_record_says_what_it_lost(
    backbone, tmp_path, monkeypatch
):
    chat, seen = Local(str(backbone)), []
    monkeypatch.setattr(
        chat._backend,
        "answers",
        lambda prompts, *_: seen.extend(prompts) or [Generated("yes", 1, "stop")],
    )
    task = "vulnerability-detection"
    long, short = (
        Example(i, task, "c", {"code": "int a; " * n}, "1") for i, n in (("l", 1300), ("s", 3))
    )
    assert ask([long, short], chat, tmp_path / "p.jsonl", "run") == 0
    for prompt in seen:
        assert "Answer with one word: yes or no." in prompt and prompt.endswith("assistant\n")
    tokens = len(chat._backend.tokenizer(seen[0], add_special_tokens=False)["input_ids"])
    assert 900 < tokens <= 1024 - 10
    records = [r for r in read_predictions(tmp_path / "p.jsonl") if isinstance(r, Prediction)]
    assert (
        records[0].prompt_cut.endswith("of 9100 characters of code") and not records[1].prompt_cut
    )
    assert [r.rule for r in records] == ["strict", "strict"]


def test_the_studys_truncation_is_noted_in_the_record(trained, tmp_path):
    cut = InferenceProfile(
        "cut", tasks={"summarization": TaskDecoding(new_tokens=2, input_tokens=12)}
    )
    examples = evaluation("summarization-java", "smoke", "train")[:2]
    path = infer(Request("r", "summarization-java", "st", cut, examples), trained, tmp_path / "p")
    for record in read_predictions(path):
        assert record.prompt_cut.startswith("study: the last ")


def test_profiles_are_those_of_the_study():
    faithful = profile("faithful")
    study = {"as_configured": True}
    assert faithful.decoding("generation") == TaskDecoding(512, 1, **study)
    assert faithful.decoding("summarization") == TaskDecoding(128, 8, input_tokens=512, **study)
    assert faithful.decoding("translation") == TaskDecoding(512, 8, forced_template=True, **study)
    with pytest.raises(UnknownName, match="faithful"):
        profile("faithfull")


def test_an_adapter_is_predicted_with_like_the_merged_model(backbone, tmp_path, prompts):
    made = job(backbone, tmp_path, "lora", ["summarization"], count=6, epochs=3, weights="float32")
    train(made)
    merged = Transformers(str(backbone), made.result, "float32", False)
    four_bit = Transformers(str(backbone), made.result, "float32", True)
    assert [len(b.answers(prompts[:2], 6, 0)) for b in (merged, four_bit)] == [2, 2]
    # On a CPU the 4-bit base is unpacked once, so that both are plain models.
    assert {type(b.model).__name__ for b in (merged, four_bit)} == {"Qwen2ForCausalLM"}


def test_missing_vllm_is_said_with_a_way_out(backbone):
    pytest.importorskip("torch")
    try:
        import vllm  # noqa: F401
    except ImportError:
        with pytest.raises(Unavailable, match="--backend transformers"):
            backend("vllm", str(backbone), None, "float32", False)


def test_records_lie_beside_their_provenance(trained, tmp_path):
    path = infer(request(count=1), trained, tmp_path / "p.jsonl")
    made = json.loads(path.with_name(path.name + ".provenance.json").read_text())
    assert (
        made["run"] == "tiny/x" and made["profile"] == "short" and len(made["result_sha256"]) == 64
    )


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_faithful_decoding_is_the_studys_call_with_all_that_it_inherits(trained, prompts, penalty):
    """A penalty on repetition counts under greedy decoding, too; `clean` knows none."""
    config, some = trained.model.generation_config, prompts[:3]
    before = config.repetition_penalty
    config.repetition_penalty = penalty
    try:
        faithful = [a.text for a in trained.answers(some, 24, 0, as_configured=True)]
        clean = [a.text for a in trained.answers(some, 24, 0)]
        asked = trained.tokenizer(some, return_tensors="pt", padding=True, add_special_tokens=False)
        made = trained.model.generate(
            **{k: asked[k] for k in ("input_ids", "attention_mask")},
            do_sample=False,
            max_new_tokens=24,
            eos_token_id=trained.tokenizer.eos_token_id,
            pad_token_id=trained.tokenizer.pad_token_id,
        )
    finally:
        config.repetition_penalty = before
    new = made[:, asked["input_ids"].shape[1] :]
    assert faithful == trained.tokenizer.batch_decode(new, skip_special_tokens=True)
    assert (faithful == clean) == (penalty == 1.0)


def test_a_run_without_training_is_answered_by_the_base_model_alone(
    backbone, monkeypatch, tmp_path
):
    from mtpeft.core import paths
    from mtpeft.inference import command

    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    name = "smollm2-135m-instruct/base"
    places = ["translation-java-cs"], "miniature-quick", "fast", 42, None, str(backbone)
    assert command.run(name, *places, "transformers", "float32", "smoke", False, limit=2) == 0
    (path,) = tmp_path.rglob("translation-java-cs.jsonl")
    bare = Transformers(str(backbone), None, "float32", False)
    examples = {e.id: e for e in evaluation("translation-java-cs", "smoke")}
    records = list(read_predictions(path))
    assert len(records) == 2
    for record in records:
        prompt = rendered_prompt(
            examples[record.instance_id], bare.tokenizer, wording(inference=True)
        )
        (answer,) = bare.answers([prompt], 32, 0)
        assert record.raw_output == answer.text


def test_two_processes_give_the_answers_of_one(backbone, tmp_path, monkeypatch):
    """The command as a whole: each process loads the model and answers every second batch."""
    from mtpeft.core import paths
    from mtpeft.inference import command

    monkeypatch.setenv("MTPEFT_DEVICE", "cpu")
    made = []
    for processes in (1, 2):
        monkeypatch.setattr(paths, "REGENERATED", tmp_path / str(processes))
        monkeypatch.setenv("MTPEFT_OUT", str(tmp_path / str(processes)))  # what the others read
        command.run(
            *("qwen2.5-coder-0.5b/mt-fft", ["summarization-java"], "smoke", "fast", 1, backbone),
            *("", "transformers", "float32", "smoke", False, 6, 400, processes),
        )
        (file,) = tmp_path.joinpath(str(processes)).rglob("summarization-java.jsonl")
        made.append([{**vars(r), "seconds": 0} for r in read_predictions(file)])
    assert made[0] == made[1] and len(made[0]) == 6
