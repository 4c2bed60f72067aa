"""The Java analysers, run for real; those that `make setup-analysers` fetches are needed."""

import csv
import subprocess
from collections import Counter

import pytest
from mtpeft.core.errors import Unavailable
from mtpeft.scoring import engine
from mtpeft.scoring.interface import Item
from mtpeft.scoring.tools import checkstyle, pmd, setup_analysers
from mtpeft.scoring.wrapping import file_of


def items(codes):
    return [
        Item("r", "translation-cs-java", f"translation_{n}", "java", code)
        for n, code in enumerate(codes)
    ]


@pytest.fixture
def installed():
    def need(tool):
        try:
            return setup_analysers.folder(tool)
        except Unavailable:
            pytest.skip(f"{tool} is not installed: make setup-analysers")

    return need


@pytest.mark.parametrize("tool", ["pmd", "pmd-current"])
def test_pmd_counts_by_category_and_names_what_it_cannot_read(tool, installed):
    scorer = engine.load(tool)
    installed(f"pmd-{scorer._version}")
    some = items(
        [
            "int f() { int x = 1; return 2; }",
            "ublic int f() { return 1; } }",
            "",
            "int f() { return 1; }",
        ]
    )
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
    some = items(
        ["int f() { return 1; }", "ublic int f() { return 1; } }", "int g( int a ) { return 1; }"]
    )
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


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("sealed interface S permits C { }\nfinal class C implements S { }", "cannot run here"),
        (
            "int f(Object o) { return switch (o) { case Integer i when i > 1 -> i; default -> 0; }; }",
            "cannot run here",
        ),
        (
            "int f(Object o) { if (o instanceof P(int x)) { return x; } return 0; }",
            "cannot run here",
        ),
        ("record P(int x) { }", "ok"),
        ("int f( { return 1; }", "unparseable"),
        ("sealed interface S permits C { ", "unparseable"),
        ("public class Größe { }", "ok"),
    ],
)
def test_java_that_came_after_checkstyle_is_no_broken_answer(code, status, installed, monkeypatch):
    installed("checkstyle-8.36.1")
    monkeypatch.setenv("LC_ALL", "C")
    got = list(checkstyle.scorer().score(items([code])))
    assert {s.status for s in got} == {status}
