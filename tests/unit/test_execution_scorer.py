"""Outputs run against the tests of their corpus: right ones pass, wrong, forged and lost ones do not."""

import json
import shutil
from pathlib import Path

import pytest
from mtpeft.core.errors import Unavailable
from mtpeft.core.records import Score, read_frame, read_scores, write_records
from mtpeft.sandbox import outcome
from mtpeft.sandbox.outcome import Outcome
from mtpeft.scoring.execution import passing as module
from mtpeft.scoring.execution.pass_at_k import by_problem, samples_of
from mtpeft.scoring.execution.passing import Execution
from mtpeft.scoring.execution.tested import ended
from mtpeft.scoring.interface import Item
from mtpeft.scoring.new import run
from mtpeft.statistics.rates import rate_line

needs_java = pytest.mark.skipif(not shutil.which("javac"), reason="cannot run here: no JDK")
PYTHON = {
    "language": "python",
    "tests": ("twice(3) == 6", "assert twice(0) == 0"),
    "asked": "twice",
}
RIGHT = "def twice(x):\n    return 2 * x\n"
JAVA = {
    "language": "java",
    "tests": ("twice(3) == 6", 'name("a").equals("aa")'),
    "asked": "twice",
}
METHODS = (
    "static int twice(int x) { return 2 * x; }\nstatic String name(String s) { return s + s; }"
)


def items(kind: dict, *outputs: str, reference: str = "") -> list[Item]:
    return [
        Item("r", "t", f"i#{n}", output=text, reference=reference, **kind)
        for n, text in enumerate(outputs)
    ]


def values(scored) -> list[tuple[float | None, str]]:
    return [(score.value, score.status) for score in scored]


def test_python_passes_only_where_every_test_holds():
    some = items(
        PYTHON, RIGHT, "def twice(x):\n    return x + 3\n", "", "def twice(:", reference=RIGHT
    )
    assert values(Execution().score(some)) == [(1.0, "ok"), (0.0, "ok"), (0.0, "ok"), (0.0, "ok")]


def test_the_mark_of_an_encoding_is_no_part_of_an_answer():
    continued = PYTHON | {"prompt": 'def twice(x):\n    """Twice."""\n'}
    some = items(continued, "\ufeff    return 2 * x\n", "\ufeff" + RIGHT, reference=RIGHT)
    assert values(Execution().score(some)) == [(1.0, "ok"), (1.0, "ok")]


@pytest.mark.parametrize(
    "hostile",
    [
        "def twice(x):\n    return '\0'\n",
        "def twice(x):\n    return '\ud800'\n",
        "def twice(x):\n    return '" + "x" * 50_000_000 + "'\n",
        "import os\nos._exit(0)\n",
        'raise ValueError("\\udfff\\x1b[2J" * 100_000)\n',
    ],
    ids=["NUL", "surrogate", "50 MB", "exit", "message"],
)
def test_a_hostile_output_fails_and_costs_no_other(hostile, tmp_path):
    scored = list(Execution().score(items(PYTHON, hostile, RIGHT, reference=RIGHT)))
    assert values(scored) == [(0.0, "ok"), (1.0, "ok")]
    write_records(tmp_path / "scores.csv", scored, Score)
    assert (tmp_path / "scores.csv").stat().st_size < 10_000


@needs_java
def test_java_passes_only_where_every_test_holds():
    forged = (
        "static { for (int i = 0; i < 9; i++) System.out.println(true); Runtime.getRuntime().halt(0); }\n"
        + METHODS
    )
    some = items(
        JAVA,
        METHODS,
        METHODS.replace("static ", "public "),
        f"import java.util.List;\n\npublic class Numbers {{\n{METHODS}\n}}\n\nclass Helper {{ }}\n",
        METHODS.replace("2 * x", "x"),
        METHODS.replace("return 2", 'System.out.println("debug"); return 2'),
        forged,
        "} class Other { static boolean test0() { return true; }",
        "static int twice(int x) { return 2 * x }",
        reference=METHODS,
    )
    got = values(Execution().score(some))
    assert got == [(1.0, "ok")] * 3 + [(0.0, "ok"), (1.0, "ok")] + [(0.0, "ok")] * 3


LIAR = "new Object() { public boolean equals(Object o) { return true; } }"
EQUAL = "Objects.equals(nine(3), 9)"


LIES = {
    # The words that say that a test holds, read once more from where they came.
    "words": (
        "nine(3) == 9",
        """static int nine(int n) throws Exception {
            java.nio.channels.FileChannel in = new java.io.FileInputStream(java.io.FileDescriptor.in).getChannel();
            in.position(0);
            java.nio.ByteBuffer words = java.nio.ByteBuffer.allocate(4096);
            in.read(words);
            words.flip();
            new java.io.FileOutputStream(java.io.FileDescriptor.out).getChannel().write(words);
            Runtime.getRuntime().halt(0);
            return 0; }""",
    ),
    # What is equal to everything.
    "objects": (EQUAL, f"static Object nine(int n) {{ return {LIAR}; }}"),
    "object": ("nine(3).equals(9)", f"static Object nine(int n) {{ return {LIAR}; }}"),
    "method": (
        "new S().nine(3).equals(9)",
        f"class S {{ Object nine(int n) {{ return {LIAR}; }} }}",
    ),
    "array": (
        "Arrays.asList(nine(3)).equals(List.of(9))",
        f"static Object[] nine(int n) {{ return new Object[] {{ {LIAR} }}; }}",
    ),
    "view": (
        "nine(3).equals(List.of(9))",
        (
            "static List<Integer> nine(int n) { return Collections.unmodifiableList("
            "new ArrayList<Integer>() { public boolean equals(Object o) { return true; } }); }"
        ),
    ),
    "order": (
        "nine(3).equals(Set.of(9))",
        (
            "static Set<Integer> nine(int n) "
            "{ Set<Integer> s = new TreeSet<>((a, b) -> 0); s.add(1); return s; }"
        ),
    ),
    # Names of the tests and of the harness.
    "class": (
        EQUAL,
        (
            "class Objects { static boolean equals(Object a, Object b) { return true; } }\n"
            "class S { static int nine(int n) { return 1; } }"
        ),
    ),
    "field": (
        EQUAL,
        (
            "static class E { boolean equals(Object a, Object b) { return true; } }\n"
            "static E \\u004fbjects = new E();\nstatic int nine(int n) { return 1; }"
        ),
    ),
    "hidden by a return": (
        EQUAL,
        (
            "// x\rclass Objects { static boolean equals(Object a, Object b) { return true; } }\n"
            "class S { static int nine(int n) { return 1; } }"
        ),
    ),
    "hidden by an escape": (
        EQUAL,
        (
            'class S { static int nine(int n) { return 1; } String s = "\\u005c"; /* "; }\n'
            "class Objects { static boolean equals(Object a, Object b) { return true; } } // */"
        ),
    ),
    "hidden by an error": (
        EQUAL,
        (
            "class S { static int nine(int n) { return 1; } int x = 1_\\u0030; int \\u01c5; char c = '\\0'; }\n"
            "class Objects { static boolean equals(Object a, Object b) { return true; } }"
        ),
    ),
    "java": (
        "java.util." + EQUAL,
        (
            "class java { static class util { static class Objects { static boolean equals("
            "Object a, Object b) { return true; } } } }\nclass S { static int nine(int n) { return 1; } }"
        ),
    ),
    # The virtual machine's memory.
    "heap": (
        "nine(3) == 9",
        """static int nine(int n) throws Exception {
            java.lang.management.ManagementFactory.getPlatformMBeanServer().invoke(
                new javax.management.ObjectName("com.sun.management:type=HotSpotDiagnostic"), "dumpHeap",
                new Object[] { "x.hprof", true }, new String[] { "java.lang.String", "boolean" });
            return 9; }""",
    ),
    "unsafe": (
        "nine(3) == 9",
        """static int nine(int n) throws Exception {
            Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe").setAccessible(true);
            return 9; }""",
    ),
}
ANSWERS = {
    "comment": (
        "nine(3) == 9",
        (
            "// A square.\nimport java.util.List;\npublic class Main "
            "{ public int nine(int n) { return n * n; } }"
        ),
    ),
    "package": (
        "nine(3) == 9",
        (
            "/* x */\npackage a.b;\nimport static java.lang.Math.*;\n"
            "@Deprecated public final class S { public static int nine(int n) { return abs(n) * n; } }"
        ),
    ),
    "helper": (
        "nine(3) == 9",
        (
            "class Helper { static int square(int n) { return n * n; } }\n"
            "class Solution { static int nine(int n) { return Helper.square(n); } }"
        ),
    ),
    "interface": (
        "nine(3) == 9",
        (
            "interface Op { int on(int n); }\npublic class Solution "
            "{ private Solution() { } int nine(int n) { Op o = k -> k * k; return o.on(n); } }"
        ),
    ),
    "abstract": (
        "nine(3) == 9",
        (
            "abstract class Base { abstract int nine(int n); }\n"
            "class Real extends Base { int nine(int n) { return n * n; } }"
        ),
    ),
    "nested": (
        "nine(3) == 9",
        (
            "public class Outer { static class Inner "
            "{ private static int nine(int n) { return n * n; } } }"
        ),
    ),
    "types": (
        "nine(new Node(3)) == 9",
        (
            "class Node { int v; Node(int v) { this.v = v; } }\n"
            "static int nine(Node n) { return n.v * n.v; }"
        ),
    ),
    "overloads": (
        "nine(3) == nine(3L) && nine('a') == 'a'",
        (
            "static int nine(int n) { return n; }\n"
            "static long nine(long n) { return n; } static char nine(char c) { return c; }"
        ),
    ),
    "generic": (
        'nine(List.of(3, 1)).equals(List.of(1, 3)) && nine(List.of("b")).get(0).length() == 1',
        (
            "static <T extends Comparable<T>> List<T> nine(List<T> l) "
            "{ return Collections.unmodifiableList(l.stream().sorted().collect(Collectors.toList())); }"
        ),
    ),
    "map": (
        "nine(3).firstKey() == 3 && nine(3).equals(Map.of(3, 1, 2, 1))",
        (
            "static TreeMap<Integer, Integer> nine(int n) { TreeMap<Integer, Integer> m = "
            "new TreeMap<>(Comparator.reverseOrder()); m.put(2, 1); m.put(n, 1); return m; }"
        ),
    ),
    "array": (
        "Arrays.equals(nine(2), new int[] {1, 2}) && nine(2).length == 2",
        "static int[] nine(int n) { return IntStream.rangeClosed(1, n).toArray(); }",
    ),
    "locale": (
        'nine(3).equals("3,14")',
        (
            "static class String2 { }\nstatic String nine(int n) "
            "{ return java.text.NumberFormat.getInstance(Locale.GERMANY).format(3.14); }"
        ),
    ),
    "names": (
        "nine(3) == 9",
        (
            "class System { }\nclass String { }\nclass Throwable { }\n"
            "class Run { static int nine(int n) { return n * n; } }"
        ),
    ),
}


@needs_java
def test_java_passes_by_a_lie_or_fails_as_it_stands():
    right = "class S { static Integer nine(int n) { return n * n; } }"
    some = [
        Item(
            "r",
            "t",
            name,
            "java",
            output,
            right if EQUAL in test else "",
            tests=(test,),
            asked="nine",
        )
        for name, (test, output) in (LIES | ANSWERS).items()
    ]
    found = {s.instance_id: (s.value, s.status) for s in Execution().score(some)}
    assert found == dict.fromkeys(LIES, (0.0, "ok")) | dict.fromkeys(ANSWERS, (1.0, "ok"))


def test_nothing_is_scored_where_right_answers_fail():
    with pytest.raises(Unavailable, match="1 of 1 right answers do not pass"):
        list(Execution().score(items(PYTHON, RIGHT, reference="def twice(x):\n    return 7\n")))


def test_a_right_answer_that_cannot_be_carried_is_no_fault_of_an_output():
    kind = {"language": "python", "tests": ("find('a')",), "asked": "find"}
    right = "import re\ndef find(x):\n    return re.match('a', x)\n"
    some = items(kind, right, "def find(x):\n    return True\n", reference=right)
    assert values(Execution().score(some)) == [(None, "cannot run here")] * 2


def test_an_instance_without_tests_is_a_status():
    [score] = Execution().score([Item("r", "t", "i", "python", RIGHT)])
    assert score.status == "cannot run here" and "--corpus" in score.detail


def test_a_runner_that_fails_twice_says_so_and_gives_no_value(monkeypatch, capsys):
    monkeypatch.setattr(
        "mtpeft.sandbox.runner.Sandbox.run",
        lambda box, instance: (
            outcome.infrastructure("no process")
            if "x + 3" in instance.source
            else Outcome(outcome.PASSED, "")
        ),
    )
    some = items(PYTHON, RIGHT, "def twice(x):\n    return x + 3\n", reference=RIGHT)
    assert values(module.scorer().score(some)) == [(1.0, "ok"), (None, "infrastructure")]
    assert "the runner failed twice: no process" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("completion", "kept"),
    [
        ("    return 2 * x\n\n\ndef main(", "    return 2 * x\n\n"),
        ("    return 2 * x\nprint(twice(2)\n# x", "    return 2 * x\n"),
        ("    return 2 * x\n\ndef more():\n    return 1\n", None),
        ("    return (2 *", None),
        (RIGHT, None),
        ("", None),
        ("    return 2 * x\n\n" + "This isn't code.\n" * 200, "    return 2 * x\n"),
        ("    return 2 * x\n\nprint(never_defined)\n", "    return 2 * x\n"),
        (
            "    return two() * x\n\ndef two():\n    return 2\nif True:\n    1 / 0\n",
            "    return two() * x\n\ndef two():\n    return 2\n",
        ),
        ("    y = x\r    return 2 * y\rprint(twice(1))\r", "    y = x\n    return 2 * y\n"),
        ("    return '\x0c' and 2 * x\ndef more(:\n", "    return '\x0c' and 2 * x\n"),
        ('    return 2 * x\ntext = """\nopen\nprint(1)\n', "    return 2 * x\n"),
    ],
)
def test_a_completion_ends_where_the_module_goes_on(completion, kept):
    part, rule = ended('def twice(x):\n    """Twice."""\n', completion, "twice")
    assert part.rstrip() == (completion if kept is None else kept).rstrip()
    assert bool(rule) == (kept is not None)


def test_a_file_is_scored_and_pass_at_k_counts_samples(tmp_path: Path):
    lines = [
        {
            "run": "mine",
            "task": "generation-python",
            "instance_id": name,
            "prompt_sha256": "",
            "raw_output": "",
            "output": output,
            "finish_reason": "stop",
            "seconds": 0,
            "error": error,
        }
        for name, output, error in (
            ("hanoi_moves", "def hanoi_moves(disks):\n    return 2 ** disks - 1\n", ""),
            ("hanoi_moves#1", "def hanoi_moves(disks):\n    return 0\n", ""),
            ("hanoi_moves#2", "", "OutOfMemoryError"),
            ("hanoi_moves#3", "\0", ""),
            ("hanoi_moves#4", "\udfff", ""),
        )
    ]
    path = tmp_path / "p.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert (
        run(path, ["execution"], tmp_path / "out", "smoke") == 2
    )  # one inference failed, two outputs are no text
    table = read_scores(tmp_path / "out/scores/execution/generation-python.csv")
    assert list(table["status"]) == ["ok", "ok", "infrastructure", "ok", "ok"]
    assert list(table["execution_pass"].dropna()) == [1.0, 0.0, 0.0, 0.0]
    said = read_frame(tmp_path / "out/messages/execution/generation-python.csv")
    assert [m.split(":")[0] for m in said["message"]] == [
        "passed",
        "failed",
        "no answer",
        "failed",
        "failed",
    ]
    samples = samples_of(table)["mine"]
    assert samples == {"hanoi_moves": [True, False, False, False]}
    assert by_problem(samples, 1) == pytest.approx([0.25]) and by_problem(samples, 5) == []


def test_the_interval_of_a_rate_is_wilsons_or_the_bootstraps():
    # Wilson's 95 % interval of 8 of 10 (Brown, Cai and DasGupta 2001): 0.4901625, 0.9433178
    assert rate_line("pass@1", [1.0] * 8 + [0.0] * 2, "problems") == (
        "pass@1 0.8000 over 10 problems, 95% interval 0.4902 to 0.9433"
    )
    text = rate_line("pass@1", [0.5, 0.0, 1.0, 0.25] * 25, "problems")
    low, high = (float(word) for word in text.split("interval ")[1].split(" to "))
    # The normal approximation: 0.4375 -+ 1.96 * 0.3698 / 10
    assert abs(low - 0.365) < 0.01 and abs(high - 0.510) < 0.01
    assert rate_line("pass@1", [1.0], "problems") == "pass@1 1.0000 over 1 problems"
