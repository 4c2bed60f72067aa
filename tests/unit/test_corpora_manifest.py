"""The manifest, the derivation rules and the loaders."""

import json

import pytest
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.corpora import code_to_code, code_to_text, codereval, evaluation, load, smoke
from mtpeft.corpora.examples import Example, examples_text, read_examples, write_examples
from mtpeft.corpora.manifest import MANIFEST, manifest, read_manifest
from mtpeft.corpora.pins import pin, pinned


def test_every_shipped_file_is_pinned_by_revision_hash_and_size():
    for file in manifest().files.values():
        assert (
            len(file.revision) == 40
            and ((len(file.sha256) == 64 and file.bytes > 0) or len(file.git_blob) == 40)
            and file.licence
            and file.purpose
        )


def test_every_derived_file_of_pinned_inputs_is_pinned():
    m = manifest()
    for derived in m.derived.values():
        if all(name in m.files for name in derived.inputs):
            assert derived.sha256, derived.id


_FILE = "".join(
    f'{key} = "x"\n'
    for key in ("id", "group", "repository", "revision", "path", "licence", "purpose")
)
_FILE = f"[[file]]\n{_FILE}"


@pytest.mark.parametrize(
    "broken, said",
    [
        ('[[file]]\nid = "a"\nsha = "b"', "sha256"),
        ('[[fle]]\nid = "a"', "fle"),
        (
            '[[derived]]\nid = "a"\ngroup = "g"\npath = "p"\nsha256 = ""\nlicence = "l"\npurpose = "p"\ninputs = ["nope"]',
            "nope",
        ),
        (
            '[[derived]]\nid = "a"\ngroup = "g"\npath = "p"\nsha256 = "XYZ"\nlicence = "l"\npurpose = "p"',
            "sha256",
        ),
        ("[[file]", "not TOML"),
        (_FILE, "no checksum"),
        (_FILE + 'git_blob = "main"\n', "git_blob is 'main'"),
        (_FILE + f'git_blob = "{"A" * 40}"\n', "40 lower-case hexadecimal digits"),
    ],
)
def test_a_broken_manifest_is_refused_by_name(tmp_path, broken, said):
    path = tmp_path / "manifest.toml"
    path.write_text(broken)
    with pytest.raises(BadInput, match=said):
        read_manifest(path)


def test_duplicate_ids_are_refused(tmp_path):
    text = MANIFEST.read_text()
    path = tmp_path / "manifest.toml"
    first = text.index("[[file]]")
    path.write_text(text + text[first : text.index("[[file]]", first + 1)])
    with pytest.raises(BadInput, match="again"):
        read_manifest(path)


def test_unknown_entries_are_answered_with_near_names():
    with pytest.raises(UnknownName, match="code-to-code/train.java"):
        manifest()["code-to-code/train.jav"]


def test_examples_survive_writing_and_reading(tmp_path):
    examples = [
        Example(
            "1",
            "generation",
            "java",
            {"summary": "ä\u2028b", "signature": "int f()"},
            "x\ny",
            tests=["f() == 1"],
        )
    ]
    write_examples(tmp_path / "e.jsonl", examples)
    assert read_examples(tmp_path / "e.jsonl") == examples


def test_a_malformed_example_is_named_by_line(tmp_path):
    path = tmp_path / "e.jsonl"
    path.write_text(examples_text([Example("1", "t", "java", {})]) + "{]\n")
    with pytest.raises(BadInput, match=r"e\.jsonl:2"):
        read_examples(path)


def test_a_revision_that_moves_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    pin("owner/data", "aaa")
    pin("owner/data", "aaa")
    assert pinned("owner/data") == "aaa"
    with pytest.raises(MtpeftError, match="aaa"):
        pin("owner/data", "bbb")


def test_translation_uses_every_pair_in_both_directions(tmp_path):
    (tmp_path / "a.java").write_text("int f();\nint g();\n")
    (tmp_path / "a.cs").write_text("int F();\nint G();\n")
    made = list(code_to_code.translation(tmp_path / "a.java", tmp_path / "a.cs"))
    assert [(e.id, e.source_language, e.inputs["code"], e.target) for e in made] == [
        ("translation_0", "java", "int f();", "int F();"),
        ("translation_1", "java", "int g();", "int G();"),
        ("translation_0", "csharp", "int F();", "int f();"),
        ("translation_1", "csharp", "int G();", "int g();"),
    ]


def test_pairs_of_unequal_length_are_refused(tmp_path):
    (tmp_path / "a.java").write_text("a\nb\n")
    (tmp_path / "a.cs").write_text("a\n")
    with pytest.raises(BadInput, match="1 lines"):
        code_to_code.pairs(tmp_path / "a.java", tmp_path / "a.cs")


def test_summarization_joins_tokens_as_the_study_did():
    row = {"code_tokens": ["int", "f", "(", ")"], "docstring_tokens": ["Return", "one", "."]}
    (made,) = code_to_text.summarization([row], "java", "train")
    assert (made.inputs["code"], made.target, made.id) == (
        "int f ( )",
        "Return one .",
        "java-train-0",
    )


@pytest.mark.parametrize(
    "code, signature, kept",
    [
        (
            'def f(a,\n      b=":"):\n    """Doc."""\n    return a\n',
            'def f(a, b=":")',
            'def f(a,\n      b=":"):\n    return a',
        ),
        ("def f(a) -> int:\n    return a", "def f(a) -> int", "def f(a) -> int:\n    return a"),
        (
            "    def f(self):\n        '''D.\n\n        more'''\n        x = 1\n        return x\n",
            "def f(self)",
            "def f(self):\n    x = 1\n    return x",
        ),
        (
            "@property\ndef f(self):\n    return 1",
            "def f(self)",
            "@property\ndef f(self):\n    return 1",
        ),
    ],
)
def test_python_functions_are_taken_apart(code, signature, kept):
    assert code_to_text.python_parts(code) == (signature, kept)


@pytest.mark.parametrize(
    "code", ["print 'x'", "x = 1", "def f():\n    '''only a docstring'''", "def f(): return 1"]
)
def test_python_rows_that_are_no_function_are_left_out(code):
    assert code_to_text.python_parts(code) is None


@pytest.mark.parametrize(
    "code, signature",
    [
        (
            '@Name("{")\npublic int f( int a )\n  throws E {\n return 1; }',
            '@Name("{") public int f( int a ) throws E',
        ),
        ("@A(values = {1, 2}) void f() { }", "@A(values = {1, 2}) void f()"),
    ],
)
def test_java_signatures_end_at_the_body(code, signature):
    assert code_to_text.java_parts(code) == (signature, code)


def test_java_methods_without_body_are_left_out():
    assert code_to_text.java_parts("abstract int f();") is None


def test_the_generation_corpus_keeps_summary_and_drops_duplicates_and_tags():
    rows = [
        {"docstring": "Return the\n sum of both.\n\n More.", "code": "int f(int a) { return a; }"},
        {"docstring": "Again the same code.", "code": "int f(int a) { return a; }"},
        {"docstring": "Too short", "code": "int g(int a) { return a; }"},
        {"docstring": "Give it back.\n@param a it", "code": "int h(int a) { return a; }"},
    ]
    made = list(code_to_text.generation(rows, "java", "train"))
    assert [(e.id, e.inputs["summary"]) for e in made] == [
        ("java-train-0", "Return the sum of both."),
        ("java-train-3", "Give it back."),
    ]


def test_discarded_tasks_are_left_out_and_the_rest_sorted(tmp_path):
    rows = [
        {"question_id": i, "input": f"in{i}", "signature": "s", "docstring": "d"} for i in "cab"
    ]
    for name in ("java", "python"):
        (tmp_path / name).write_text("".join(json.dumps(r) + "\r\n" for r in rows))
    (tmp_path / "drop").write_text(
        json.dumps(
            {
                "CoderEval Java Ids with Unreliable Tests": ["a"],
                "CoderEval Python Ids with Unreliable Tests": [],
            }
        )
    )
    made = list(
        codereval.generation({n: tmp_path / n for n in ("java", "python")}, tmp_path / "drop")
    )
    assert [(e.language, e.id) for e in made] == [
        ("java", "b"),
        ("java", "c"),
        *[("python", i) for i in "abc"],
    ]


def test_smoke_sets_are_the_same_functions_in_every_task():
    assert {e.id for e in load("smoke", "generation", "train")} == set(smoke.functions("train"))
    for task in ("generation", "summarization", "translation"):
        assert len(load("smoke", task, "train")) == 2 * len(smoke.functions("train"))


def test_an_evaluation_set_is_one_language_or_direction():
    made = evaluation("translation-cs-java", "smoke")
    assert made and {(e.source_language, e.language) for e in made} == {("csharp", "java")}


def test_signatures_of_smoke_functions_have_no_body():
    for example in load("smoke", "generation", "train"):
        assert example.target.startswith(example.inputs["signature"]) and not example.inputs[
            "signature"
        ].endswith(("{", ":"))


def test_unknown_corpora_and_splits_are_answered_with_near_names():
    with pytest.raises(UnknownName, match="multitask-qlora"):
        load("multitask_qlora", "generation", "train")
    with pytest.raises(UnknownName, match="valid"):
        load("smoke", "generation", "validation")
