"""Answers of chat models, read as a careful human would: no wrong text, nothing cut that belongs."""

import pytest
from mtpeft.core.errors import MtpeftError
from mtpeft.core.records import Prediction
from mtpeft.corpora import Example
from mtpeft.inference.fitting import fitted
from mtpeft.inference.prompting import conversation
from mtpeft.scoring.answers import table
from mtpeft.tasks import answer_of, generation, summarization, task_module, translation, yes_no
from mtpeft.tasks.code_search import read_scores
from mtpeft.tasks.fences import tagged, unfenced

F = "`" * 3
CODE = "def f(x):\n    return x"
JAVA = "int f(int x) {\n    return x;\n}"


@pytest.mark.parametrize(
    "info",
    [
        "",
        "python",
        " python",
        "Python3",
        'python title="a.py"',
        "python {.numberLines}",
        "{.python}",
        "py:main.py",
        "python, runnable",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_opening_fence_may_carry_any_info_string(info, end):
    raw = f"Sure!\n\n{F}{info}\n{CODE}\n{F}\nThe function returns its argument.".replace("\n", end)
    assert unfenced(raw) == unfenced(raw, "python") == CODE


@pytest.mark.parametrize(
    "raw",
    [
        f"~~~python\n{CODE}\n~~~",
        f"{F}`python\n{CODE}\n{F}`",
        f"1. Do this:\n\n   {F}python\n   def f(x):\n       return x\n   {F}\n",
        f"> {F}python\n> def f(x):\n>     return x\n> {F}",
        f"{F}python\n{CODE}",
        f"\ufeff{F}python\n{CODE}\n{F}<|im_end|>",
        f"<think>\nMaybe {F}python\ndef g(): pass\n{F}?\n</think>\n{F}python\n{CODE}\n{F}",
        f"{CODE}\n{F}\nOutput:\n{F}\n3\n{F}",
        f"{CODE}\n{F}",
        f"{F}bash\npip install numpy\n{F}\n\n{F}python\n{CODE}\n{F}",
        f"{F}python\n{CODE}\n{F}\n\nUse it:\n\n{F}python\nprint(f(1))\n{F}\n\n{F}text\n1\n{F}",
        f"{F}\n$ python a.py\n{F}\n\n{F}\n{CODE}\n{F}",
        f"Here is the function:\n\n{CODE}\n\nIt returns its argument.",
        f'<pre><code class="language-python">{CODE}\n</code></pre>',
        CODE,
        f"\n\n{CODE}\n\n",
    ],
)
def test_every_form_of_a_block_gives_the_function_and_nothing_else(raw):
    assert generation.answer(raw, False, "python") == CODE


def test_a_fence_inside_a_documentation_string_closes_nothing():
    code = f'def f(x):\n    """Double.\n\n    {F}\n    f(2)\n    {F}\n    """\n    return 2 * x'
    assert unfenced(f"{F}python\n{code}\n{F}\nDone.") == code
    left = code.replace("    " + F, F)
    assert unfenced(f"{F}python\n{left}\n{F}\n") == left


def test_a_one_line_fence_is_a_fence():
    assert unfenced(f"{F}python def f(x): return x{F}") == "def f(x): return x"


def test_imports_and_helpers_of_other_blocks_come_along():
    raw = (
        f"First:\n{F}python\nimport math\n\ndef half(x):\n    return x / 2\n\nUNUSED = 1\n{F}\nthen\n"
        f"{F}python\ndef f(x):\n    return half(math.sqrt(x))\n\ndef g():\n    return f(1)\n{F}"
    )
    got = generation.answer(raw, False, "python")
    assert "import math" in got
    compile(got, "x", "exec")


@pytest.mark.parametrize("language", ["csharp", ""])
def test_the_echoed_question_is_not_the_translation(language):
    csharp = "int F(int x) {\n    return x;\n}"
    raw = (
        f"The Java code:\n{F}java\n{JAVA}\n{F}\nbecomes\n{F}csharp\n{csharp}\n{F}\nSame semantics."
    )
    assert translation.answer(raw, False, language) == csharp


def test_the_faithful_profile_keeps_the_studys_rules():
    raw = f"{F}csharp\nint F() {{ return 1; }}\n{F}"
    assert translation.answer(raw, True) == tagged(raw) == "csharp\nint F() { return 1; }"
    assert generation.answer("Assistant: x = 1\nHuman: more", True) == "x = 1"
    summary = "SUMMARY: Sets it to DONE now.\nDONE"
    assert summarization.answer(summary, True) == "Sets it to"


@pytest.mark.parametrize(
    "raw",
    [
        "Counts the even values.",
        "Summary: Counts the even values.",
        "**Summary:** Counts the even values.",
        '"Counts the even values."',
        "A summary of the function: Counts the even values.",
        "# Summary\nCounts the even values.",
        "Sure, here you go: Counts the even values.",
        "- Counts the even values.",
        f'Here is the docstring:\n\n{F}\n"""Counts the even values."""\n{F}',
        "Here is a summary of the function:\n\nCounts the even values.",
        "Sure! Here's a one-sentence summary: Counts the even values.",
        f"{F}\nCounts the even values.\n{F}",
        "<think>It loops.</think>\nCounts the even values.",
        "SUMMARY: Counts the even values.\nDONE",
        "SUMMARY: Counts the even values. DONE",
        "Counts the even values.<|im_end|>",
        "TL;DR: Counts the even values.",
        "One-line summary: Counts the even values.",
        "Sure! Counts the even values.",
        "Output: Counts the even values.",
        '{"summary": "Counts the even values."}',
    ],
)
def test_a_summary_comes_out_alone(raw):
    assert summarization.answer(raw, False) == "Counts the even values."


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (
            "SUMMARY: Sets the job's state to DONE and wakes the waiters.\nDONE",
            "Sets the job's state to DONE and wakes the waiters.",
        ),
        ("Prints 'SUMMARY:' before each row.", "Prints 'SUMMARY:' before each row."),
        ("Sets the state to DONE.", "Sets the state to DONE."),
        ('"a" and "b" are joined', '"a" and "b" are joined'),
        ("Here is where rows are joined.", "Here is where rows are joined."),
        ("Output values are joined.", "Output values are joined."),
    ],
)
def test_markers_count_only_where_they_stand_as_markers(raw, text):
    assert summarization.answer(raw, False) == text


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("Yes", "1"),
        ("no.", "0"),
        ("**Yes**", "1"),
        ("Yes, it writes past the buffer.", "1"),
        ("Yes, there is no bounds check.", "1"),
        ("No, because the length is checked.", "0"),
        ("Answer: yes", "1"),
        ("The buffer is checked before use.\n\nAnswer: no", "0"),
        ("The length is never checked, so the answer is yes.", "1"),
        ("<think>No, or yes?</think>\nyes", "1"),
        ("Final answer: **No**", "0"),
        ("Yes it does.", "1"),
        ("Based on the code, yes.", "1"),
        ("I would say no.", "0"),
        ('{"answer": "yes"}', "1"),
        ("I think no one checks it.", ""),
        ("<answer>yes</answer>", "1"),
        ("The code copies input.\nYes.", "1"),
        ("Yes and no.", ""),
        ("Yes/No", ""),
        ("yes or no", ""),
        ("Yes. Wait. No.", ""),
        ("Answer: yes\nAnswer: no", ""),
        ("No idea", ""),
        ("Not sure.", ""),
        ("There is no check.", ""),
        ("I know yesterday's code.", ""),
        ("", ""),
        ("Safe", ""),
        ("It is not the case that the answer is yes.", ""),
        ("I don't think the answer is no.", ""),
        ("If the answer is yes, the code is vulnerable.", ""),
        ("The answer is no longer clear", ""),
        ("Answer: no vulnerability was looked for", ""),
        ("Nothing is checked, so the answer is yes.", "1"),
        ("The code is not vulnerable, so no.", "0"),
        ("Yes or no? No.", "0"),
        ("Response: no", "0"),
        ("A: yes", "1"),
        ("No (the index is checked)", "0"),
        (r"\boxed{no}", "0"),
    ],
)
def test_an_unambiguous_yes_or_no_is_read_and_any_other_text_is_no_answer(raw, read):
    assert yes_no.strict(raw) == read


@pytest.mark.parametrize(
    ("raw", "scores"),
    [
        ("[1] 90\n[2] 10\n[3] 55", [90, 10, 55]),
        ("[1] 90\n\n[2] 10\n\n[3] 55", [90, 10, 55]),
        (f"{F}\n[1] 90\n[2] 10\n[3] 55\n{F}", [90, 10, 55]),
        ("Here are the scores:\n1: 90\n2: 10\n3: 55", [90, 10, 55]),
        ("1. 90\n2. 10\n3. 55", [90, 10, 55]),
        ("1 90\n2 10\n3 55", [90, 10, 55]),
        ("Scores: [1] 90, [2] 10, [3] 55", [90, 10, 55]),
        ("[1] 90\n[2] 10\n[3] 55\nThe best is [1].", [90, 10, 55]),
        ("[1] 90\n[2] 10\n[3] 55\nOn reflection [1] deserves 40.", None),
        ("[1] 90/100\n[2] 10/100\n[3] 55/100", [90, 10, 55]),
        ("- **[1]** 90\n- **[2]** 10\n- **[3]** 55", [90, 10, 55]),
        ("[1] 90, [2] 10, [3] 55", [90, 10, 55]),
        ("[1] 90 - does it\n[2] 10 - other\n[3] 55 (partly)", [90, 10, 55]),
        ("Function 1: 90\nFunction 2: 10\nFunction 3: 55", [90, 10, 55]),
        ("[3] 55\r\n[1] 90\r\n[2] 10", [90, 10, 55]),
        ("30\n20\n10", None),
        ("3.5\n1.0\n2.5", None),
        ("[1] 90\n[2] 10", None),
        ("[1] 90\n[1] 80\n[2] 10\n[3] 5", None),
        ("[1] 900\n[2] 10\n[3] 5", None),
        ("302010", None),
        ("[1] -5\n[2] 10\n[3] 55", None),
        ("1 000\n2 10\n3 55", None),
        ("[1] 90 [2] 10 [3] 55", [90, 10, 55]),
        ("[1] 90 is better than [2] 10 [3] 55", None),
        (
            '[{"id": 1, "score": 90}, {"id": 2, "score": 10}, {"id": 3, "score": 55}]',
            [90, 10, 55],
        ),
        ("", None),
    ],
)
def test_a_number_of_a_candidate_and_its_score_are_two(raw, scores):
    assert read_scores(raw, 3) == scores


@pytest.mark.parametrize("raw", ["Safe", "The code is clean."])
def test_the_studys_few_shot_and_gpt_rules_are_other_ones_than_its_zero_shot_rule(raw):
    assert [rule(raw) for rule in yes_no.PERMISSIVE.values()] == ["1", "0", "0"]
    assert yes_no.strict(raw) == ""


@pytest.mark.parametrize(
    ("shots", "served", "names"),
    [
        (0, False, {"permissive (study, zero-shot)": 0.0}),
        (5, False, {"permissive (study, few-shot)": 1.0}),
        (0, True, {"permissive (study, zero-shot)": 0.0, "permissive (study, GPT)": 1.0}),
    ],
)
def test_a_row_of_answers_carries_the_name_of_the_rule_that_read_it(shots, served, names):
    task = "vulnerability-detection"
    example = Example("1", task, "c", {"code": "int a;"}, "0")
    said = Prediction("r", task, "1", "", "Safe", "", "stop", 0.0)
    rows = {row["reading"]: row["acc"] for row in table([said], [example], shots, served)}
    assert {name: acc for name, acc in rows.items() if "study" in name} == names


def test_an_answer_names_the_rule_that_cut_it():
    task = task_module("generation")
    example = Example(
        "1",
        "generation",
        "python",
        {"prompt": "def f(x):\n", "summary": "", "signature": "def f(x):"},
    )
    raw = f"{F}python\ndef g(x):\n    return 0\n{F}\n{F}python\n{CODE}\n{F}"
    taken = answer_of(task, raw, False, example)
    assert (taken, taken.rule) == (CODE, "code in fences")
    assert answer_of(task, raw, True, example).rule == "study: up to Human:"
    assert answer_of(task, CODE, False, example).rule == "whole text"


def test_a_text_beyond_any_answer_is_handed_on_at_once():
    for raw in (
        "> " * 50_000,
        "`" * 50_000,
        " " * 50_000 + "x",
        "def f(x):\n  return x\nSo.\n" * 3000,
    ):
        assert unfenced(raw, "python").rule == "too long to be read"
        assert yes_no.strict(raw) == "" and read_scores(raw, 3) is None


def _words(messages):
    return sum(len(m["content"].split()) for m in messages)


def test_a_long_prompt_loses_shots_then_code_and_never_its_question():
    task = "vulnerability-detection"
    words = "a b c d e f g h i j " * 20
    shots = [Example(str(i), task, "c", {"code": "int s;"}, "1") for i in range(3)]
    turns = conversation(Example("1", task, "c", {"code": words}, "1"), shots)
    whole, asked = fitted(turns, _words, 1000)
    assert whole == turns and not asked
    shorter, said = fitted(turns, _words, _words(turns) - 1)
    assert shorter == [turns[0], *turns[3:]] and said == "cut: 1 of 3 shots"
    least, said = fitted(turns, _words, 60)
    assert said.startswith("cut: 3 of 3 shots, ") and said.endswith("characters of code")
    assert [m["role"] for m in least] == ["system", "user"] and 50 < _words(least) <= 60
    question = least[-1]["content"]
    assert question.endswith("Answer with one word: yes or no.") and "```\na b c" in question
    with pytest.raises(MtpeftError, match="without its code"):
        fitted(turns, _words, 10)


def test_of_two_functions_both_are_still_shown():
    pair = {"code": "x " * 300, "other": "y " * 100}
    turns = [{"role": "system", "content": "s"}, *yes_no.asked("s", "Alike?", *pair.values())[1:]]
    left, _ = fitted(turns, _words, 120)
    content = left[-1]["content"]
    assert content.startswith("Alike?") and content.count("```") == 4
    assert content.count("x") > 40 and content.count("y") > 40


FINAL = (
    f"<|channel|>analysis<|message|>Perhaps:\n{F}python\ndef f(x):\n    return 0\n{F}\n<|end|>"
    f"<|start|>assistant<|channel|>final<|message|>{F}python\n{CODE}\n{F}<|return|>"
)
NUMBERED = "1  def f(x):\n2      return x"
SESSION = "In [1]: def f(x):\n   ...:     return x\n   ...:\n\nIn [2]: f(2)\nOut[2]: 2\n\nIn [3]: f(3)\nOut[3]: 3"


@pytest.mark.parametrize(
    "raw",
    [
        f'<p>Here it is:</p>\n<pre><code class="language-python">{CODE}\n</code></pre>\n<p>It is short.</p>',
        f"\\begin{{lstlisting}}[language=Python]\n{CODE}\n\\end{{lstlisting}}",
        f"{F}diff\n@@ -1,2 +1,2 @@\n def f(x):\n-    return 0\n+    return x\n{F}",
        f"{F}diff\n--- a/f.py\n+++ b/f.py\n+def f(x):\n+    return x\n{F}\nThat is all.",
        f"{F}python\n{NUMBERED}\n{F}",
        f"{F}\n{SESSION}\n{F}",
        f"{F}ipython\n{SESSION}\n{F}",
        f"Answer: {CODE}",
        f"**Solution:**\n{F}python\n{CODE}\n{F}",
        f"[PYTHON]\n{CODE}\n[/PYTHON]\n[TESTS]\nassert f(1) == 1\n[/TESTS]",
        FINAL,
        '{"code": "def f(x):\\n    return x\\n"}',
        f'{F}json\n{{"explanation": "Short.", "code": "def f(x):\\n    return x"}}\n{F}',
        '{"name": "write", "arguments": {"code": "def f(x):\\n    return x"}}',
        f"<p>Here:</p>\n<code>{CODE}</code>\n<p>It is <code>x</code>.</p>",
        ">>> def f(x):\n...     return x\n...\n>>> f(1)\n1",
        SESSION,
        f":::{{.python}}\n{CODE}\n:::",
        f"[code=python]\n{CODE}\n[/code]\nIt is short.",
        f"#+BEGIN_SRC python\n{CODE}\n#+END_SRC",
        f"<answer><![CDATA[\n{CODE}\n]]></answer>",
    ],
)
def test_code_comes_out_of_pages_diffs_listings_sessions_and_objects(raw):
    assert generation.answer(raw, False, "python", "f") == CODE


def test_signs_of_a_page_are_read_as_what_they_mean():
    raw = "It compares:\n\n<pre><code>int f(List&lt;Integer&gt; x) {\n    return x;\n}</code></pre>\n\nDone."
    assert generation.answer(raw, False, "java", "f") == JAVA.replace("int x", "List<Integer> x")


def test_a_definition_between_backticks_in_a_sentence_is_the_answer():
    assert translation.answer("**C#:** `public int Get() => a;`", False, "csharp") == (
        "public int Get() => a;"
    )
    assert translation.answer("`get` becomes `Get`.", False, "csharp") == ""


@pytest.mark.parametrize(
    "behind", ["\n\nThis returns one or two.", "\n\nExplanation:\n- it's short"]
)
def test_sentences_behind_the_rest_of_a_function_are_left_out(behind):
    body = "    if x:\n        return 1\n    return 2"
    assert generation.answer(body + behind, False, "python", "f") == body
    helper = "\n\n\ndef g():\n    return 3"
    assert generation.answer(body + helper + behind, False, "python", "f") == body + helper


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("$\\boxed{\\text{Yes}}$", "1"),
        ("\u2705 Yes", "1"),
        ("\u274c No, it is bounded.", "0"),
        ("Answer \u2013 no", "0"),
        ("I think the answer is \u201cyes\u201d.", "1"),
        ("\u274c No idea", ""),
    ],
)
def test_signs_around_a_yes_or_no_do_not_hide_it(raw, read):
    assert yes_no.strict(raw) == read


@pytest.mark.parametrize(
    "raw",
    [
        "// Adds numbers.",
        "/// <summary>\n/// Adds numbers.\n/// </summary>",
        "*Adds numbers.*",
        "_Adds numbers._",
        "\u00abAdds numbers.\u00bb",
        "1. Adds numbers.",
        "Summary\n-------\nAdds numbers.",
        "Function summary: Adds numbers.",
        "Based on the code, here is the summary: Adds numbers.",
    ],
)
def test_a_summary_leaves_more_kinds_of_frames(raw):
    assert summarization.answer(raw, False) == "Adds numbers."


@pytest.mark.parametrize(
    "line", ["{} -> {}", "[{}] \u2192 {}", "[{}] => {}", "Function {} scores {}"]
)
def test_an_arrow_separates_a_candidate_from_its_score(line):
    raw = "\n".join(line.format(n, score) for n, score in enumerate((80, 15, 0), start=1))
    assert read_scores(raw, 3) == ([80, 15, 0])


ADD = "def add(a, b):\n    return a + b"
JAVA_ADD = "public int add(int a, int b) {\n    return a + b;\n}"


@pytest.mark.parametrize(
    ("raw", "language", "taken"),
    [
        (
            "```diff\n@@ -1,2 +1,2 @@\n def add(a, b):\n-    return a - b\n+    return a + b\n```",
            "python",
            ADD,
        ),
        ("```patch\n--- a.py\n+++ b.py\n+def add(a, b):\n+    return a + b\n```", "python", ADD),
        ("```python def add(a, b):\n    return a + b\n```", "python", ADD),
        ('```python title="add.py"\ndef add(a, b):\n    return a + b\n```', "python", ADD),
        ("```java public int add(int a, int b) {\n    return a + b;\n}\n```", "java", JAVA_ADD),
        ('{"code": "def add(a, b):\\n    return a + b"}', "python", ADD),
        (
            '```json\n{"answer": "public int add(int a, int b) {\\n    return a + b;\\n}"}\n```',
            "java",
            JAVA_ADD,
        ),
        ("```python\n1 def add(a, b):\n2     return a + b\n```", "python", ADD),
        (
            "```java\n 9 | public int add(int a, int b) {\n10 |     return a + b;\n11 | }\n```",
            "java",
            JAVA_ADD,
        ),
        (
            "```python\ndef add(a, b):\n    return a if a &lt; b else b\n```",
            "python",
            "def add(a, b):\n    return a if a < b else b",
        ),
        (
            "C#: public int Add(int a) => a;",
            "csharp",
            "public int Add(int a) => a;",
        ),
        # What only looks like one of these stays as it is.
        (
            "```python\n# 1 < 2 &amp; more\nx = '&lt;'\n```",
            "python",
            "# 1 < 2 &amp; more\nx = '&lt;'",
        ),
        ('{"a": "b", "c": "d"}', "", '{"a": "b", "c": "d"}'),
    ],
)
def test_code_is_read_from_what_wraps_each_of_its_lines(raw, language, taken):
    assert unfenced(raw, language, asked="add").rstrip() == taken


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ("They compute the same sum. So yes, they are clones.", "1"),
        ("The index is checked before it is used; therefore, no.", "0"),
        ("It is not vulnerable, so: **No**", "0"),
        ("In conclusion, yes", "1"),
        ("So no overflow can occur.", ""),
        ("Overall no clear winner; so yes or no is hard to say.", ""),
        ("So yes, at first sight. Thus, no.", ""),
        ("I am not sure so no", ""),
    ],
)
def test_a_conclusion_is_an_answer_where_it_stands_for_itself(raw, answer):
    assert yes_no.strict(raw) == answer


def test_an_underlined_heading_is_no_part_of_a_summary():
    assert summarization.answer("Summary\n-------\nReturns the sum.", False) == "Returns the sum."
    kept = "Summary of rows\n-------\nReturns the sum."
    assert summarization.answer(kept, False) == kept


@pytest.mark.parametrize(
    "raw", ["Yes - wait, actually no.", "No. Correction: yes", "Yes. Scratch that, no!"]
)
def test_an_answer_that_is_taken_back_is_none(raw):
    assert yes_no.strict(raw) == ""


@pytest.mark.parametrize(
    ("raw", "summary"),
    [
        ("In one sentence: Adds numbers.", "Adds numbers."),
        ("Sure, Adds numbers.", "Adds numbers."),
        ("The function's summary is: Adds numbers.", "Adds numbers."),
        ("Summary (one sentence): Adds numbers.", "Adds numbers."),
        ("Summary for `add`: Adds numbers.", "Adds numbers."),
        ("Function: `add`\nSummary: Adds numbers.", "Adds numbers."),
        (f"The code\n\n{F}python\n{CODE}\n{F}\n\nSummary: Adds numbers.", "Adds numbers."),
        ("\\boxed{Adds numbers.}", "Adds numbers."),
        ("\u2705 Adds numbers.", "Adds numbers."),
        (
            "Here is where the sum is made: in the loop.",
            "Here is where the sum is made: in the loop.",
        ),
        ("Summary statistics are computed.", "Summary statistics are computed."),
    ],
)
def test_labels_before_a_summary_are_left_out_and_sentences_stay(raw, summary):
    assert summarization.answer(raw, False) == summary


def test_a_yes_that_says_no_is_no_answer():
    assert yes_no.strict("Yes: no.") == ""


@pytest.mark.parametrize(
    ("raw", "scores"),
    [
        ("Function [1] scores 90.\nFunction [2] scores 10.", [90, 10]),
        ("`[1] 90`\n`[2] 10`", [90, 10]),
        ("[1] 90 points\n[2] 10 points", [90, 10]),
        ("\u0661: 90\n2: 10", None),
        ("[1] 90.5\n[2] 10", None),
    ],
)
def test_scores_in_sentences_and_of_other_digits(raw, scores):
    assert read_scores(raw, 2) == scores


@pytest.mark.parametrize(
    "code",
    [
        "int f(int x) {\n    return x;\n}\n}",
        "int f(int x) {\n    if (x > 1) {\n        return x;\n    }\n}\nelse {\n    return 2;\n}\n}",
        "int f(int x) {\n    return x;\n}\nx = 2;\nreturn this;\n}",
    ],
)
def test_a_broken_answer_is_not_mended_into_a_sound_one(code):
    for raw in (code, f"{F}java\n{code}\n{F}", f"Here:\n\n{code}\n\nThis adds."):
        assert generation.answer(raw, False, "java", "f") == code
    broken = "def f(x):\n    return x\n  y = (\n"
    assert generation.answer(f"{F}python\n{broken}{F}", False, "python", "f") == broken.rstrip()


def test_blanks_in_the_strings_of_code_stay():
    code = 'def f(x):\n    """Doc.\n    \n    More.\n    """\n    return x'
    for raw in (code, f"Here:\n\n{code}\n\nDone.", f"{F}python\n{code}\n{F}"):
        assert generation.answer(raw, False, "python", "f") == code
