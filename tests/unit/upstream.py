"""A tiny upstream repository in the formats of the study's own: two score folders and one script of
each layout.

All figures are made up. `CLEAN`, `RAW` and the McNemar layouts are written here from the
description of the formats.
"""

from dataclasses import replace
from pathlib import Path

from mtpeft.archive.dialect import score_dialect_of
from mtpeft.catalog import Block, Catalog, Comparison, Metric, Output, Tool, catalog

STUDY = catalog().studies["multitask-qlora"]
DIALECT = score_dialect_of(STUDY)
SCORES, OUTPUTS = DIALECT.SCORES, DIALECT.OUTPUTS

ST, MT, FFT = (
    "qwen2.5-coder-3b/st-qlora/translation",
    "qwen2.5-coder-3b/mt-qlora",
    "qwen2.5-coder-3b/mt-fft",
)
SMALL = "qwen2.5-coder-0.5b/mt-qlora", "qwen2.5-coder-0.5b/mt-fft"
PAIR_CS, PAIR_CT = (
    f"qwen2.5-coder-3b/mt-qlora/generation+{t}" for t in ("summarization", "translation")
)


def _metric(name: str, *labels: str, column: str) -> Metric:
    return Metric(name, name, "lower", list(labels), column, low=0)


COUNTER = Tool(
    "counter",
    "Counter",
    "1",
    "none",
    ["code", "text"],
    [
        _metric("lines", "Cnt_LoC", "LoC", column="LoC"),
        _metric("depth", "Cnt_Depth", "Depth", column="Depth"),
    ],
    archive={"counter/translation/cs_java": "translation-cs-java"},
    id_column="instance_id",
)
EXAM = Tool(
    "exam",
    "Exam",
    "1",
    "none",
    ["code", "text"],
    [Metric("pass@1", "pass@1", "higher", [], "passed", low=0, high=1)],
    archive={"exam/generation/java": "generation-java"},
    id_column="_id",
)

COUNTING = Comparison(
    "counting",
    "multitask-qlora",
    "RQ2",
    "Counting",
    "wilcoxon",
    "translation-cs-java",
    "position",
    "block",
    "holm",
    "MT-QLoRA",
    "MT-FFT",
    [Block("0.5b", *SMALL), Block("3b", MT, FFT)],
    ["lines", "depth"],
    [Output("counting_CLEAN.txt", "CLEAN", "holm"), Output("counting_RAW.txt", "RAW", "holm")],
)
PAIRS = replace(
    COUNTING,
    id="pairs",
    question="RQ3",
    blocks=[Block("CG+CS", MT, PAIR_CS), Block("CG+CT", MT, PAIR_CT)],
    outputs=[Output("pairs_CLEAN.txt", "CLEAN", "holm"), Output("pairs_RAW.txt", "RAW", "holm")],
)
JAVA = [
    Block("python-3b", MT, FFT, "generation-python"),
    Block("java-3b", MT, FFT, "generation-java"),
]
PASSING = Comparison(
    "passing",
    "multitask-qlora",
    "RQ1",
    "Passing",
    "mcnemar",
    "generation-java",
    "id",
    "comparison",
    "holm",
    "A",
    "B",
    JAVA,
    ["pass@1"],
    [Output("passing_CLEAN.txt", "CLEAN", "holm"), Output("passing_RAW.txt", "RAW", "holm")],
)
PASSING_LINES = replace(
    PASSING, id="passing-lines", outputs=[Output("lines_RAW.txt", "RAW", "holm")]
)
PASSING_PAIRS = replace(
    PASSING,
    id="passing-pairs",
    blocks=[
        Block("python-CG+CS", MT, PAIR_CS, "generation-python"),
        Block("java-CG+CS", MT, PAIR_CS, "generation-java"),
    ],
    outputs=[
        Output("passing_pairs_CLEAN.txt", "CLEAN", "holm"),
        Output("passing_pairs_RAW.txt", "RAW", "holm"),
    ],
)
COMPARISONS = (COUNTING, PAIRS, PASSING, PASSING_LINES, PASSING_PAIRS)

_HEAVY, _LIGHT, _STARS = "=" * 40, "-" * 40, "*" * 12


def small_catalog(known: Catalog) -> Catalog:
    """The shipped tasks, backbones, methods and runs with the tools and comparisons of this module."""
    return replace(
        known,
        tools={t.id: t for t in (COUNTER, EXAM)},
        comparisons={c.id: c for c in COMPARISONS},
        tables={},
        figures={},
        claims={},
    )


def clean_text(headings: list[str]) -> str:
    lines = [_HEAVY, "RQ9: a title of two words", _HEAVY]
    for heading in headings:
        lines += [
            "",
            _LIGHT,
            heading,
            _LIGHT,
            "Metric               p-value    Cliff's d  Significant",
            _LIGHT,
            "Cnt_LoC               0.0012      -0.1500          Yes",
            "Cnt_Depth                 NA      -0.0000           NA",
        ]
    return "\n".join(
        [
            *lines,
            "",
            _HEAVY,
            "Note: p-values are Holm-Bonferroni corrected",
            "Note: Counter CG+CT comparison uses file: other.csv",
            "Cliff's Delta interpretation: |d| < 0.147 (N)",
            _HEAVY,
            "",
        ]
    )


def raw_text(
    banners: list[str], vectors: list[str], labels: tuple[str, str] = ("LoC", "Depth")
) -> str:
    lines = []
    for banner in banners:
        lines.append(f'[1] "{_STARS} {banner} {_STARS}"')
        for label, delta, size in (
            (labels[0], "-0.15", "small"),
            (labels[1], "-1.5e-19", "negligible"),
        ):
            lines += [
                f'[1] "{label} - A vs B (3B)"',
                "",
                "Cliff's Delta",
                "",
                f"delta estimate: {delta} ({size})",
                "95 percent confidence interval:",
                "       lower        upper ",
                "-2.00000e-01  1.25000e-03 ",
                "",
            ]
    lines.append(f'[1] "{_STARS}"')
    for vector in vectors:
        lines += [
            f'[1] "{vector}Adjusted P-values):"',
            "    Wilcoxon.p",
            "1 1.200000e-03",
            "2        NaN",
        ]
    return "\n".join([*lines, ""])


_ROW = "  0.500000  1.000000  1.2500   12   9"


def pass_clean(
    names: tuple[str, str], headings: tuple[str, str] = ("PYTHON: A vs B", "JAVA: A vs B")
) -> str:
    lines = [_HEAVY, "RQ9: pass@1", _HEAVY]
    for heading, name in zip(headings, names, strict=True):
        lines += ["", _LIGHT, heading, _LIGHT, "Model   P-value  Adj P-value", _LIGHT, name + _ROW]
    return "\n".join(
        [
            *lines,
            "",
            _HEAVY,
            "Note: P-values are Holm-Bonferroni corrected across all 2 comparisons",
            "Odds Ratio = (A_only + 0.5) / (B_only + 0.5)",
            "  OR > 1: A passes more often",
            "A_only = cases where A passes",
            _HEAVY,
            "",
        ]
    )


_COUNTS = "both_pass= 20 , A_only= 12 , B_only= 9 , both_fail= 100"


def pass_raw(names: tuple[str, str], sections: tuple[str, str] = ("", "")) -> str:
    lines = [_HEAVY, "RQ9: pass@1", _HEAVY, ""]
    for section, name in zip(sections, names, strict=True):
        lines += ([section, "-----------", ""] if section else []) + [
            f"Comparison: {name}",
            f"  Contingency: {_COUNTS} ",
            "  Original P-value: 0.500000 , Adjusted P-value: 1.000000 , Odds Ratio: 1.2500 ",
            "",
        ]
    return "\n".join([*lines, ""])


def pass_lines() -> str:
    row = f"Qwen 3B: {_COUNTS} , p= 0.500000 , adj_p= 1.000000 , OR= 1.2500 "
    return "\n".join(
        [
            _HEAVY,
            "RQ9: pass@1",
            _HEAVY,
            "",
            "(a) Python",
            "-----------",
            row,
            "",
            "(b) Java",
            "---------",
            row,
            "",
        ]
    )


OUTPUT_TEXTS = {
    "counting_CLEAN.txt": clean_text(
        ["QWEN 0.5B: MT-QLoRA vs MT-FFT", "QWEN 3B: MT-QLoRA vs MT-FFT"]
    ),
    "counting_RAW.txt": raw_text(
        ["QWEN 0.5B: MT-QLoRA vs MT-FFT (C# to Java)", "QWEN 3B: MT-QLoRA vs MT-FFT (C# to Java)"],
        ["Qwen 0.5B Results (", "Qwen 3B Results (holm "],
    ),
    "pairs_CLEAN.txt": clean_text(
        [f"QWEN 3B: MT-QLoRA (3-task) vs MT-QLoRA ({p})" for p in ("CG+CS", "CG+CT")]
    ),
    "pairs_RAW.txt": raw_text(
        [f"QWEN 3B: MT-QLoRA (3-task) vs MT-QLoRA ({p}) (C# to Java)" for p in ("CG+CS", "CG+CT")],
        [f"3-task vs {p} Results (" for p in ("CG+CS", "CG+CT")],
    ),
    "passing_CLEAN.txt": pass_clean(("Qwen 3B", "Qwen 3B")),
    "passing_RAW.txt": pass_raw(("Python 3B A vs B", "Java 3B A vs B")),
    "lines_RAW.txt": pass_lines(),
    "passing_pairs_CLEAN.txt": pass_clean(
        ("3-task vs CG+CS", "3-task vs CG+CS"), ("(a) Python: 3 vs 2", "(b) Java: 3 vs 2")
    ),
    "passing_pairs_RAW.txt": pass_raw(
        ("3-task vs CG+CS", "3-task vs CG+CS"), ("(a) Python", "(b) Java")
    ),
}
SCORE_TEXTS = {
    "counter/translation/cs_java/r-cnt_ct_0_5b_mt-qlora.csv": "instance_id,LoC,Depth\n0,4,1\n1,6,2\n2,5,0\n",
    "counter/translation/cs_java/r-cnt_ct_3b_mt-fft.csv": "instance_id,LoC,Depth\ntranslation_0,4,1\ntranslation_1,7.5,2\n",
    "counter/translation/cs_java/r-cnt_ct_3b_cg_ct_mt-qlora.csv": "Depth,instance_id,LoC\n1,0,9\n",
    "exam/generation/java/r-exam_3b_mt-qlora.csv": "_id,passed\nab,1\ncd,0\n",
}


def write_upstream(root: Path) -> Path:
    """Write the whole tree below `root`, which stands for the study's repository."""
    for folder, texts in ((OUTPUTS, OUTPUT_TEXTS), (SCORES, SCORE_TEXTS)):
        for name, text in texts.items():
            path = root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    return root
