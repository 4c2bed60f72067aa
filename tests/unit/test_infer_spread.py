"""The instances of a run on several devices: the bytes of one process, and nothing lost where one is
killed.
"""

import json
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from mtpeft.core.errors import MtpeftError
from mtpeft.core.gpus import devices
from mtpeft.core.locks import InUse, held
from mtpeft.corpora import evaluation
from mtpeft.inference import command
from mtpeft.inference.generate import Generated
from mtpeft.inference.settings import InferenceProfile, TaskDecoding
from mtpeft.inference.spread import on_each, share_file, share_files
from mtpeft.inference.stage import Request, infer
from mtpeft.tasks import rendered_prompt, wording

NUMBER = 11
PROFILE = InferenceProfile("short", tasks={"summarization": TaskDecoding(new_tokens=8)})


class Tokenizer:
    """One token a word."""

    chat_template = "words"

    def apply_chat_template(self, messages, **_):
        return " ".join(m["content"] for m in messages)

    def __call__(self, texts, **_):
        return {"input_ids": [text.split() for text in texts]}


class Backend:
    """Answers with what names the prompt and its batch."""

    name, tokens_in_flight = "transformers", 0

    def __init__(self, dies_at=0):
        self.tokenizer, self.dies_at, self.batches = Tokenizer(), dies_at, 0

    def answers(self, prompts, *_, **__):
        self.batches += 1
        if self.batches == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return [Generated(f"{len(prompts)} {len(p)}", 1, "stop") for p in prompts]


def request(share=(0, 1), **model) -> Request:
    some = evaluation("summarization-java", "smoke", "train")[:NUMBER]
    return Request("tiny/x", "summarization-java", "mt", PROFILE, some, model, 120, share)


def work(path, dying, share):
    """What one process does; the one that is named dies in its second batch."""
    infer(request(share), Backend(2 if share[0] == dying else 0), path)


def told(path: Path) -> list[dict]:
    """The records in the file's order, without what a clock decides."""
    return [json.loads(line) | {"seconds": 0} for line in path.read_text().splitlines()]


@pytest.fixture(autouse=True)
def cpu(monkeypatch):
    monkeypatch.setenv("MTPEFT_DEVICE", "cpu")


def spread(path: Path, dying: int = -1) -> None:
    command._side_by_side({path: request()}, "transformers", partial(work, path, dying), devices(2))


def test_two_processes_write_what_one_writes(tmp_path):
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    backend = Backend()
    infer(request(), backend, one)
    assert backend.batches > 3, "too few batches to divide"
    spread(two)
    assert told(two) == told(one)
    assert [r["instance_id"] for r in told(two)] == [e.id for e in request().examples]
    assert not share_files(two)
    before = two.read_bytes()
    spread(two, dying=0)  # nothing is left to do, so nobody is asked
    assert two.read_bytes() == before


def test_a_killed_process_loses_nothing_that_was_answered(tmp_path):
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    infer(request(), Backend(), one)
    with pytest.raises(MtpeftError, match="1 of 2 processes ended early"):
        spread(two, dying=1)
    kept = {r["instance_id"]: r for r in told(two)}
    assert 0 < len(kept) < NUMBER
    backend = Backend()
    infer(request(), backend, two)  # with one process or several, it goes on
    assert 0 < backend.batches < 4
    after = {r["instance_id"]: r for r in told(two)}
    assert after.keys() == {r["instance_id"] for r in told(one)}
    assert all(after[name] == record for name, record in kept.items())


def test_what_a_killed_command_left_beside_the_file_is_taken_up(tmp_path):
    path = tmp_path / "p.jsonl"
    infer(request((1, 2)), Backend(), path)
    with share_file(path, 1).open("a") as stream:
        stream.write('{"run": "tiny/x", "ta')
    left = len(share_file(path, 1).read_text().splitlines()) - 1
    backend = Backend()
    infer(request(), backend, path)
    assert 0 < left < NUMBER and len(told(path)) == NUMBER and not share_files(path)


def test_what_another_model_left_beside_the_file_is_refused(tmp_path):
    path = tmp_path / "p.jsonl"
    infer(request((1, 2), seed=1), Backend(), path)
    with pytest.raises(MtpeftError, match="seed 1"):
        infer(request(seed=2), Backend(), path)


def test_a_file_in_use_is_left_alone(tmp_path):
    path = tmp_path / "p.jsonl"
    with held(path), pytest.raises(InUse):
        _elsewhere(partial(spread, path))


def _elsewhere(do) -> None:
    """In another thread, which has none of this one's locks."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        pool.submit(do).result()


def note(folder, share):
    """Note what a process sees."""
    place = Path(folder, str(share[0]))
    place.write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
    end = time.monotonic() + 60
    while not Path(folder, str(1 - share[0])).exists():  # they work at the same time
        assert time.monotonic() < end
        time.sleep(0.01)


def test_each_process_sees_one_device_and_they_work_side_by_side(tmp_path, monkeypatch):
    monkeypatch.delenv("MTPEFT_DEVICE")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert on_each(partial(note, str(tmp_path)), devices(0)) == [0, 0]
    assert [(tmp_path / n).read_text() for n in "01"] == ["4", "6"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4,6"


def test_prompts_without_room_for_their_answer_are_counted(tmp_path, capsys):
    """A model with rotary positions goes on beyond those that it was trained with, and babbles."""
    backend = Backend()
    infer(request(), backend, tmp_path / "free.jsonl")
    assert "positions" not in capsys.readouterr().out
    prompts = {e.id: 0 for e in request().examples}
    for e in request().examples:
        text = rendered_prompt(e, Tokenizer(), wording("own", "mt", inference=True))
        prompts[e.id] = len(text.split())
    middle = sorted(prompts.values())[NUMBER // 2]
    backend.positions = middle + 8
    over = sum(n > middle for n in prompts.values())
    assert 0 < over < NUMBER
    infer(request(), backend, tmp_path / "few.jsonl")
    said = f"{over} of {NUMBER} prompts leave no room for 8 tokens in the {middle + 8} positions"
    assert said in capsys.readouterr().out
