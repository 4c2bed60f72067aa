"""The Java analysers, run for real. Those that `make setup-analysers` fetches are needed; the
helper is compiled here.
"""

import csv
import shutil
import subprocess
from collections import Counter

import pytest
from mtpeft.core.errors import Unavailable
from mtpeft.scoring import engine
from mtpeft.scoring.interface import Item
from mtpeft.scoring.sonar import metrics as sonar_metrics
from mtpeft.scoring.tools import checkstyle, pmd, setup_analysers
from mtpeft.scoring.wrapping import file_of

# code of one method, cyclomatic, cognitive (worked out by hand from the white paper)
CASES = [
    ("int f() { return 1; }", 1, 0),
    ("abstract int f();", 0, 0),
    ("void f(int a) { if (a > 0) { g(); } }", 2, 1),
    ("void f(int a) { if (a > 0) { g(); } else if (a < 0) { g(); } else { g(); } }", 3, 3),
    ("void f(int a) { for (int i = 0; i < a; i++) { while (true) { g(); } } }", 3, 3),
    ("void f(int[] a) { for (int x : a) { do { g(); } while (x > 0); } }", 3, 3),
    (
        "void f(int a) { switch (a) { case 1: g(); break; case 2: g(); break; default: g(); } }",
        3,
        1,
    ),
    ("int f(int a) { return a > 0 ? 1 : 2; }", 2, 1),
    ("boolean f(boolean a, boolean b, boolean c) { return a && b && c; }", 3, 1),
    ("boolean f(boolean a, boolean b, boolean c) { return a && (b && c); }", 3, 1),
    ("boolean f(boolean a, boolean b, boolean c) { return a && b || c; }", 3, 2),
    ("void f() { try { g(); } catch (RuntimeException e) { if (h) { g(); } } }", 2, 3),
    ("void f() { run(() -> { if (h) { g(); } }); }", 3, 2),
    ("void f() { x: for (;;) { continue x; } }", 2, 2),
    ("Runnable f() { return new Runnable() { public void run() { if (h) { g(); } } }; }", 3, 2),
    ("int f(int a) { switch (a == -1 ? g() : a) { default: return 1; } }", 2, 3),
    ("void f() { while (a ? b : c) { g(); } }", 3, 3),
    ("void f() { for (int x : a ? b : c) { g(); } }", 3, 3),
    ("boolean x = a && b; void f() { }", 2, 0),
    ("Runnable r = new Runnable() { public void run() { if (h) { g(); } } };", 2, 1),
    ("static { if (h) { g(); } }", 1, 1),
]
UNREAD = [
    "ublic int f() { return 1; } }",
    "1 public int f() { return 1; }",
    "int f() { position() += 1; }",
    "void f() { List<int> a; }",
    "ublic Other() { super(1); }",
    "public Other() { super(1); }",
    "int f() {",
]


def items(codes):
    return [
        Item("r", "translation-cs-java", f"translation_{n}", "java", code)
        for n, code in enumerate(codes)
    ]


@pytest.fixture(scope="module")
def helper():
    if not shutil.which("javac"):
        pytest.skip("no javac: the Java helper cannot be compiled here")
    setup_analysers.compile_helpers()


@pytest.fixture
def installed():
    def need(tool):
        try:
            return setup_analysers.folder(tool)
        except Unavailable:
            pytest.skip(f"{tool} is not installed: make setup-analysers")

    return need


def test_java_complexities_are_sonars(helper):
    got = sonar_metrics.java_complexity(items([c for c, _, _ in CASES]))
    assert [
        (code, value[1], value[2]) for (code, _, _), value in zip(CASES, got.values(), strict=True)
    ] == CASES


def test_what_sonar_cannot_read_is_unparseable_and_no_zero(helper):
    scores = list(sonar_metrics.scorer().score(items(UNREAD)))
    assert {(s.value, s.status) for s in scores} == {(None, "unparseable")}
    assert all(s.detail for s in scores if s.metric == "sonar_loc")


def test_a_constructor_in_a_class_of_its_own_name_can_be_read(helper):
    code = "public Other() { super(1); }"
    named = Item("r", "translation-cs-java", "translation_1", "java", code, unit="Other")
    assert sonar_metrics.java_complexity([named])[named] == (4, 1, 0)


def test_a_doubtful_file_has_values_only_where_they_are_asked_for(helper):
    doubtful, broken = items(["void set(int a) { super(a); if (a > 1) { b = a; } }", "void f( {"])
    assert sonar_metrics.CONSTRUCTOR_CALL in sonar_metrics.java_complexity([doubtful])[doubtful]
    read = sonar_metrics.java_complexity([doubtful, broken], lenient=True)
    assert read[doubtful] == (4, 2, 1)
    assert isinstance(read[broken], str)


def test_a_method_without_return_type_is_read_as_sonar_reads_it(helper):
    item = items(["public Other(int a) { b = a; }"])[0]
    assert sonar_metrics.java_complexity([item])[item][1:] == (1, 0)


def test_more_than_a_hundred_errors_hide_no_later_one(helper):
    got = list(
        sonar_metrics.java_complexity(
            items(["int f( { ; } }" * 60] * 30 + ["int f() { return 1; }"])
        ).values()
    )
    assert all(isinstance(x, str) for x in got[:-1]) and got[-1][1:] == (1, 0)


@pytest.mark.parametrize("tool", ["pmd", "pmd-current"])
def test_pmd_counts_by_category_and_names_what_it_cannot_read(tool, installed):
    scorer = engine.load(tool)
    installed(f"pmd-{scorer._version}")
    some = items(["int f() { int x = 1; return 2; }", UNREAD[0], "", "int f() { return 1; }"])
    table = engine.table(some, engine_outcomes(scorer, some), scorer.metrics)
    assert list(table["status"]) == ["ok", "unparseable", "ok", "ok"]
    assert table.iloc[1, 4:].isna().all()
    assert table.iloc[0, 4] > table.iloc[3, 4], "the unused variable is a best-practices violation"


def test_pmd_gives_in_one_batch_what_it_gives_file_by_file(installed):
    installed("pmd-7.6.0")
    some = items(
        ["int f() { int x = 1; return 2; }", "void g(String s) { System.out.println(s); }"]
    )
    together = engine_outcomes(pmd.scorer(), some)
    alone = [engine_outcomes(pmd.scorer(), [i])[0] for i in some]
    assert together == alone


def test_checkstyle_goes_on_after_a_file_that_it_cannot_read(installed):
    installed("checkstyle-8.36.1")
    some = items(["int f() { return 1; }", UNREAD[0], "int g( int a ) { return 1; }"])
    outcomes = engine_outcomes(checkstyle.scorer(), some)
    assert [o.status for o in outcomes] == ["ok", "unparseable", "ok"]
    assert outcomes[1].detail == "4: unexpected token: ublic"
    assert (
        outcomes[2].cells["checkstyle_sun_violations"][0]
        > outcomes[0].cells["checkstyle_sun_violations"][0]
    )


def engine_outcomes(scorer, some):
    return list(engine._parcel(scorer, [(str(n), item) for n, item in enumerate(some)]).values())


@pytest.mark.parametrize(("tool", "version"), [("pmd", "7.6.0"), ("pmd-current", "7.28.0")])
def test_pmd_says_what_its_own_command_line_says_about_the_file_of_the_studys_name(
    tool, version, installed, tmp_path
):
    """The file named as its class, alone in its folder, one run of PMD for it."""
    place = installed(f"pmd-{version}")
    some = [
        Item("r", "generation-java", name, "java", code, unit=name)
        for name, code in [
            ("Generated_62b438", "int f() { int x = 1; return 2; }"),
            ("Translation7", "void g(String s) { System.out.println(s); }"),
            ("", "package a.b;\npublic class Sum { public int f() { return 1; } }"),
        ]
    ]
    scorer = engine.load(tool)
    ours = [
        {m: value for m, (value, _, _) in o.cells.items()} for o in engine_outcomes(scorer, some)
    ]
    for item, counted in zip(some, ours, strict=True):
        source = file_of(item)
        project = tmp_path / source.name
        folder = project.joinpath(*source.package)
        folder.mkdir(parents=True)
        (folder / f"{source.name}.java").write_text(source.text, encoding="utf-8")
        rules = ",".join(f"category/java/{name}.xml" for name in pmd.CATEGORIES.values())
        done = subprocess.run(
            [
                "java",
                "-cp",
                f"{place}/conf:{place}/lib/*",
                "net.sourceforge.pmd.cli.PmdCli",
                "check",
            ]
            + ["-d", str(project), "-R", rules, "-f", "csv", "--no-cache", "--no-progress"],
            capture_output=True,
            text=True,
            check=False,
        )
        rows = list(csv.DictReader(done.stdout.splitlines()))
        assert all(row["File"].endswith(f"{source.name}.java") for row in rows)
        theirs = Counter(row["Rule set"] for row in rows)
        assert list(counted.values()) == [theirs[title] for title in pmd.CATEGORIES]
        assert "TypeNameMismatch" not in {row["Rule"] for row in rows}


@pytest.mark.parametrize("tool", ["pmd", "checkstyle"])
def test_a_java_output_cannot_suppress_its_violations(tool, installed):
    installed({"pmd": "pmd-7.6.0", "checkstyle": "checkstyle-8.36.1"}[tool])
    plain = "int f() { int x = 1; return 2; } // XXXXX"
    told = [
        plain.replace("XXXXX", "NOPMD"),
        '@SuppressWarnings("all")\nint f() { int x = 1; return 2; } // XXXXX',
        "// CHECKSTYLE:OFF\n" + plain,
    ]
    outcomes = engine_outcomes(engine.load(tool), items([plain, *told]))
    totals = [sum(value for value, _, _ in o.cells.values()) for o in outcomes]
    assert all(total >= totals[0] > 0 for total in totals), totals
