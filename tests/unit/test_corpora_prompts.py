"""The study's prompts are read out of scripts that are never run: scripts of the same shape, in
words of our own.
"""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.corpora import derived, prompts
from mtpeft.tasks import wording

MULTI = """
raise SystemExit("a script that is run")
def apply_chat_template(example, tokenizer, language=None, task="summarization", src_lang=None, tgt_lang=None):
    if task == "summarization":
        code = " ".join(example["code_tokens"])
        if language == "java":
            chat = [{"role": "system", "content": "You sum up Java."}, {"role": "user", "content": f"Sum up:\\n{code}"},
                    {"role": "assistant", "content": f"<{' '.join(example['docstring_tokens'])}>"}]
        elif language == "python":
            chat = [{"role": "system", "content": "You sum up Python."}, {"role": "user", "content": f"In short:\\n{code}"},
                    {"role": "assistant", "content": f"<{' '.join(example['docstring_tokens'])}>"}]
    elif task == "generation":
        output_text = example["output"]
        if language == "java":
            user_prompt = f"{summary_part} as method {signature_part}"
            chat = [{"role": "system", "content": "Java."}, {"role": "user", "content": user_prompt},
                    {"role": "assistant", "content": output_text}]
        elif language == "python":
            user_prompt = f"{summary_part} as function {signature_part}"
            chat = [{"role": "system", "content": "Python."}, {"role": "user", "content": user_prompt},
                    {"role": "assistant", "content": output_text}]
    elif task == "translation":
        chat = [{"role": "system", "content": "You translate—nothing else."},
                {"role": "user", "content": f"{src_lang} to {tgt_lang}: {example['a'] if src_lang == 'Java' else example['b']}"},
                {"role": "assistant", "content": example["b"] if tgt_lang == "C#" else example["a"]}]
"""
SINGLE = "".join(
    f"""
def apply_chat_template_{language}(example, tokenizer):
    user_prompt = f"{{summary_part}}: {{signature_part}}"
    chat = [{{"role": "system", "content": "x"}}, {{"role": "user", "content": user_prompt}}]
"""
    for language in ("java", "python")
)
INFERENCE = """
def apply_chat_template(codereval_input, language, tokenizer):
    chat = [{"role": "system", "content": system_content}, {"role": "user", "content": codereval_input}]
"""
JUDGE = '''
def create_prompt(code, summary, language="java"):
    lang = language.capitalize()
    prompt = f"""Judge {lang}:\\n{code}\\n{summary}"""
    return prompt
'''
SCRIPTS = {
    prompts.MULTI: MULTI,
    prompts.SINGLE: SINGLE,
    prompts.INFERENCE: INFERENCE,
    prompts.JUDGE: JUDGE,
}


def test_every_prompt_is_found_with_its_placeholders(tmp_path):
    made = json.loads(prompts.build(SCRIPTS.__getitem__))
    assert made["generation"]["user_multi_task"] == {
        "java": "{summary} as method {signature}",
        "python": "{summary} as function {signature}",
    }
    assert made["generation"]["user_single_task"] == dict.fromkeys(
        ("java", "python"), "{summary}: {signature}"
    )
    assert (made["generation"]["user_inference"], made["generation"]["assistant"]) == (
        "{input}",
        "{output}",
    )
    assert made["summarization"]["user"] == {
        "java": "Sum up:\n{code}",
        "python": "In short:\n{code}",
    }
    assert made["summarization"]["assistant"] == "<{docstring}>"
    assert made["translation"] == {
        "system": "You translate—nothing else.",
        "user": "{source} to {target}: {code}",
        "assistant": "{code}",
    }
    assert made["judge"]["user"] == "Judge {Java|Python}:\n{code}\n{summary}"
    (tmp_path / "prompts.json").write_text(prompts.build(SCRIPTS.__getitem__))
    assert (
        wording("published", path=tmp_path / "prompts.json").text("generation", "system", "java")
        == "Java."
    )


@pytest.mark.parametrize(
    "path, text, said",
    [
        (prompts.MULTI, "def f(:", "not Python"),
        (prompts.SINGLE, "x = 1", "no prompt"),
        (prompts.JUDGE, "x = 1", "no prompt"),
    ],
)
def test_scripts_of_another_shape_are_refused(path, text, said):
    with pytest.raises(MtpeftError, match=said):
        prompts.build({**SCRIPTS, path: text}.__getitem__)


@pytest.fixture
def upstream(tmp_path, monkeypatch):
    root = tmp_path / "upstream"
    for path, text in SCRIPTS.items():
        target = root / prompts.REPOSITORY / prompts.COMMIT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MTPEFT_UPSTREAM", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("MTPEFT_MIRROR", raising=False)
    monkeypatch.delenv("OFFLINE", raising=False)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    yield root
    server.shutdown()


def test_without_a_mirror_the_scripts_come_from_upstream_and_another_result_is_refused(upstream):
    with pytest.raises(MtpeftError, match="has SHA-256") as refused:
        derived.built("published/prompts")
    assert "1f99f058" in refused.value.expected and not (paths.CACHE / "derived").exists()


def test_a_script_that_is_not_there_is_named_with_a_way_out(upstream, monkeypatch):
    (upstream / prompts.REPOSITORY / prompts.COMMIT / prompts.JUDGE).unlink()
    with pytest.raises(Unavailable, match="llm_judge.py") as missing:
        derived.built("published/prompts")
    assert "MTPEFT_MIRROR" in missing.value.fix
    monkeypatch.setenv("OFFLINE", "1")
    with pytest.raises(Unavailable, match="OFFLINE=1"):
        derived.built("published/prompts")
