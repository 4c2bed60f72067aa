"""Rendered prompts, character by character; answers cut out of raw output."""

import json

import pytest
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.corpora import Example
from mtpeft.tasks import task_module, wording
from mtpeft.tasks.rendering import HUMAN_ASSISTANT, render, rendered_prompt

GENERATION = Example(
    "g",
    "generation",
    "java",
    {"summary": "Return {one}.", "signature": "int f()"},
    "int f() { return 1; }",
)
CODEREVAL = Example(
    "c",
    "generation",
    "python",
    {"prompt": 'def f():\n\t"""One."""\n\t', "summary": "One.", "signature": "def f():"},
)
SUMMARY = Example("s", "summarization", "python", {"code": "def f(): return {}"}, "Return nothing.")
TRANSLATION = Example(
    "t", "translation", "csharp", {"code": "int f() { return 1; }"}, "int F() { return 1; }", "java"
)

# A stand-in with the shape of the study's derived set; every word of it is ours.
SYNTHETIC = {
    "generation": {
        "system": {"java": "Sys J", "python": "Sys P"},
        "assistant": "{output}",
        "user_single_task": {
            "java": "{summary}|st|{signature}",
            "python": "{summary}|st|{signature}",
        },
        "user_multi_task": {
            "java": "{summary}|mt java|{signature}",
            "python": "{summary}|mt py|{signature}",
        },
        "user_inference": "{input}",
    },
    "summarization": {
        "system": {"java": "Sum J", "python": "Sum P"},
        "user": {"java": "J:{code}", "python": "P:{code}"},
        "assistant": "SUMMARY: {docstring} DONE",
    },
    "translation": {"system": "Tra", "user": "{source} to {target}:{code}", "assistant": "{code}"},
}


@pytest.fixture
def synthetic(tmp_path):
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps(SYNTHETIC))
    return path


def contents(example, words):
    module = task_module(example.task)
    return [m["content"] for m in module.messages(example, words)] + [module.target(example, words)]


def test_own_wording_golden():
    words = wording()
    assert contents(GENERATION, words) == [
        "You write Java code. Answer with the code only.",
        "Write this Java function.\nIt should: Return {one}.\nSignature: int f()",
        "int f() { return 1; }",
    ]
    assert (
        contents(CODEREVAL, words)[1]
        == 'Complete this Python function.\ndef f():\n\t"""One."""\n\t'
    )
    assert contents(SUMMARY, words) == [
        "You explain Python code in one sentence.",
        "Explain this Python function.\ndef f(): return {}",
        "Return nothing.",
    ]
    assert contents(TRANSLATION, words) == [
        "You translate code. Answer with the code only.",
        "Translate this Java function to C#.\nint f() { return 1; }",
        "int F() { return 1; }",
    ]


def test_study_wording_takes_regime_language_and_purpose_into_account(synthetic):
    single, multi = (wording("published", regime, path=synthetic) for regime in ("st", "mt"))
    asked = wording("published", "mt", inference=True, path=synthetic)
    assert contents(GENERATION, single)[:2] == ["Sys J", "Return {one}.|st|int f()"]
    assert contents(GENERATION, multi)[1] == "Return {one}.|mt java|int f()"
    assert contents(CODEREVAL, asked)[:2] == ["Sys P", CODEREVAL.inputs["prompt"]]
    assert contents(SUMMARY, multi) == [
        "Sum P",
        "P:def f(): return {}",
        "SUMMARY: Return nothing. DONE",
    ]
    assert contents(TRANSLATION, multi)[1] == "Java to C#:int f() { return 1; }"


def test_a_prompt_file_without_a_role_is_refused_by_name(tmp_path):
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps({**SYNTHETIC, "translation": {"system": "x", "user": "y"}}))
    with pytest.raises(BadInput, match="translation lacks assistant"):
        wording("published", path=path)


@pytest.mark.parametrize(
    "task, raw, faithful, answer",
    [
        ("generation", "```java\nint f() {}\n```\nDone.", False, "int f() {}"),
        ("generation", "```java\nint f() {}\n```", True, "```java\nint f() {}\n```"),
        ("generation", "Assistant: int f() {}\nHuman: more", True, "int f() {}"),
        ("generation", "def f():\n    return 1\n", False, "def f():\n    return 1"),
        ("summarization", "SUMMARY: One. DONE SUMMARY: Two. DONE", True, "Two."),
        ("summarization", "SUMMARY: Gives one. DONE", True, "Gives one."),
        ("summarization", "SUMMARY: Gives one. DONE", False, "Gives one."),
        ("summarization", " Gives what is DONE. ", False, "Gives what is DONE."),
        ("translation", "```csharp\nint F() {}\n```", True, "csharp\nint F() {}"),
        ("translation", "```csharp\nint F() {}\n```", False, "int F() {}"),
        ("translation", "```java\nint f() {}\n```", True, "int f() {}"),
        ("translation", "Human: x\n\nAssistant: int F() {}", True, "int F() {}"),
        ("translation", "```cs\nint F() {", False, "int F() {"),
        ("generation", "", False, ""),
    ],
)
def test_answers_are_cut_out_of_raw_output(task, raw, faithful, answer):
    assert task_module(task).answer(raw, faithful) == answer


@pytest.fixture(scope="module")
def tokenizer():
    pytest.importorskip("transformers")
    from mtpeft.tuning.tiny import train_tokenizer

    return train_tokenizer(
        ["int f() { return 1; }", "def f():\n    return 1\n"] * 3, vocabulary=320
    )


@pytest.mark.train
def test_chat_template_golden(tokenizer):
    assert rendered_prompt(TRANSLATION, tokenizer, wording()) == (
        "<|im_start|>system\nYou translate code. Answer with the code only.<|im_end|>\n"
        "<|im_start|>user\nTranslate this Java function to C#.\nint f() { return 1; }<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@pytest.mark.train
def test_forced_template_golden(tokenizer):
    assert rendered_prompt(TRANSLATION, tokenizer, wording(), HUMAN_ASSISTANT) == (
        "You translate code. Answer with the code only.\n\n"
        "Human: Translate this Java function to C#.\nint f() { return 1; }\n\nAssistant: "
    )


@pytest.mark.train
def test_training_sees_the_tokens_of_inference_and_the_end_mark(tokenizer):
    made = render(TRANSLATION, tokenizer, wording())
    asked = tokenizer(rendered_prompt(TRANSLATION, tokenizer, wording()), add_special_tokens=False)[
        "input_ids"
    ]
    assert made.tokens[: made.prompt] == asked
    assert tokenizer.decode(made.tokens[made.prompt :]) == "int F() { return 1; }<|im_end|>\n"


@pytest.mark.train
def test_the_joined_layout_ends_with_the_end_token(tokenizer):
    made = render(TRANSLATION, tokenizer, wording(), joined=True)
    assert made.tokens[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(made.tokens[:-1]) == tokenizer.decode(
        render(TRANSLATION, tokenizer, wording()).tokens
    )


@pytest.mark.train
def test_a_template_whose_prompt_is_no_prefix_is_refused(tokenizer):
    import copy

    broken = copy.deepcopy(tokenizer)
    broken.chat_template = "{% if add_generation_prompt %}Q{% else %}A{% endif %}"
    with pytest.raises(MtpeftError, match="not the beginning"):
        render(TRANSLATION, broken, wording())


@pytest.mark.train
def test_a_template_that_is_missing_or_refuses_a_role_is_said_before_anything_is_tokenized():
    pytest.importorskip("transformers")
    from mtpeft.tasks import render
    from mtpeft.tuning.tiny import train_tokenizer

    words = train_tokenizer(["int f() { return 1; }"], 300)
    words.chat_template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    )
    with pytest.raises(MtpeftError, match="refuses messages of system, user, assistant: no system"):
        render(GENERATION, words, wording())
    words.chat_template = None
    with pytest.raises(MtpeftError, match="no chat template"):
        render(GENERATION, words, wording())


@pytest.mark.train
def test_a_tokenizer_without_an_end_token_serves_where_none_is_appended(tmp_path):
    pytest.importorskip("transformers")
    from mtpeft.models.base import load_tokenizer
    from mtpeft.tasks import render
    from mtpeft.tuning.tiny import CHATML
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    words = PreTrainedTokenizerFast(tokenizer_object=raw, chat_template=CHATML, pad_token="b")
    assert words.eos_token_id is None and render(GENERATION, words, wording()).tokens
    with pytest.raises(MtpeftError, match="no end token") as said:
        render(GENERATION, words, wording(), joined=True)
    assert said.value.fix == "--set packing=isolated"
    words.pad_token = None
    words.save_pretrained(tmp_path)
    with pytest.raises(MtpeftError, match="neither a padding token nor an end token"):
        load_tokenizer(str(tmp_path))
