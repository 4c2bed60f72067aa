"""How the public files of the study name runs and instances: score tables, printed outputs, model
outputs.

A run is named by size and method, `3b` and `mt_qlora`; the two tasks of a run that has two of three
stand before the method, `cg_cs_mt_qlora`. File names put the same words together in several ways.
"""

import re

from mtpeft.core.errors import UnknownName
from mtpeft.core.outputs import ArchivedRun, PredictionSet
from mtpeft.core.upstream import Upstream

UPSTREAM = (
    Upstream(
        "alvi75/MultiTask-QLoRA-NFAnalysis",
        "44e6077abecf5c90d6b80f3298afaf00091621e5",
        ("statistical_tests",),
    ),
)
SCORES = "statistical_tests/per-instance-value"
"""Folder of the per-instance score files; tools name the folders below it (`archive:`)."""
OUTPUTS = "statistical_tests/R-scripts"
"""Folder of the printed outputs; comparisons name its files (`outputs:`)."""

BACKBONES = {"0.5b": "qwen2.5-coder-0.5b", "1.5b": "qwen2.5-coder-1.5b", "3b": "qwen2.5-coder-3b"}
FOLDERS = {"0.5b": "qwen0_5", "1.5b": "qwen1_5", "3b": "qwen3"}
"""Sizes as the folders of model outputs have them."""
METHODS = {"mt_fft": "mt-fft", "mt_qlora": "mt-qlora", "st_qlora": "st-qlora"}
TASKS = {"cg": "generation", "cs": "summarization", "ct": "translation"}
PAIRS = {
    f"{a}_{b}_mt_qlora": f"mt-qlora/{TASKS[a]}+{TASKS[b]}"
    for a, b in (("cg", "cs"), ("cg", "ct"), ("cs", "ct"))
}
_FILE = re.compile(
    r"(?P<size>0[._]5|1[._]5|3)b?[-_](?:(?P<pair>c[gs]_c[st])_)?(?P<regime>st|mt)[-_](?P<method>qlora|fft)$"
)
FILE_NAME = "…SIZE_ARM_METHOD.csv, as in cs_qwen0_5_st_qlora.csv"


def run_of(size: str, method: str, task: str) -> str:
    """The run that is called `size` and `method` where outputs or scores of `task` are.

    Raises:
        UnknownName: There is no such size or method.
    """
    if size not in BACKBONES:
        raise UnknownName("size", size, BACKBONES)
    if method in PAIRS:
        return f"{BACKBONES[size]}/{PAIRS[method]}"
    if method not in METHODS and method != "st_fft":
        raise UnknownName("method", method, [*METHODS, *PAIRS])
    name = METHODS.get(method, "st-fft")
    return f"{BACKBONES[size]}/{name}" + (f"/{task}" if name.startswith("st-") else "")


def run_of_file(stem: str, task: str) -> str | None:
    """The run whose scores a file holds, from its name; None for a name that tells none."""
    match = _FILE.search(stem)
    if match is None:
        return None
    words = [match["pair"], match["regime"], match["method"]]
    return run_of(f"{match['size'].replace('_', '.')}b", "_".join(filter(None, words)), task)


def instance_id(text: str, numbered: bool) -> str:
    """The canonical id of an instance.

    Args:
        text: As a file has it.
        numbered: The evaluation set numbers its instances, as translations do; files write the
            number with its prefix or without.
    """
    return f"translation_{text}" if numbered and text.isdigit() else text


def _outputs(
    evaluation: str, language: str, name: str, pairs: tuple[str, ...], rows: int, digest: str
) -> PredictionSet:
    """The declaration of a set.

    Args:
        evaluation: The evaluation set.
        language: Of the outputs.
        name: What upstream's folders begin with.
        pairs: The methods of the runs on two tasks.
        rows: Number of outputs.
        digest: SHA-256 of the canonical file.
    """
    java = language == "java"
    found = sorted(
        [(model, m) for model in BACKBONES for m in METHODS] + [("3b", m) for m in pairs]
    )
    return PredictionSet(
        evaluation,
        "alvi75/code-quality-test" if java else "alvi75/code-quality-test-cs",
        "2269a61337cfbbdfdb52621acb6730014032ca46"
        if java
        else "341d67723bf4df5404a650dd15320d832ce3cb27",
        language,
        ".java" if java else ".py",
        tuple(
            ArchivedRun(
                run_of(model, method, TASKS[name]),
                model,
                method,
                f"{name}_{FOLDERS[model]}_{method}",
            )
            for model, method in found
        ),
        rows,
        digest,
        laid_out=java,
    )


PREDICTIONS = (
    _outputs(
        "generation-java",
        "java",
        "cg",
        ("cg_cs_mt_qlora", "cg_ct_mt_qlora"),
        2024,
        "e5b7174aec952eaec83891dbe3de9b794588cac57ea012a6f5e54572bcce4fe4",
    ),
    _outputs(
        "generation-python",
        "python",
        "cg",
        ("cg_cs_mt_qlora", "cg_ct_mt_qlora"),
        2090,
        "233ee3882b1a6d5fc1206363214eb6a50963df9759fb021a784052b3cb505d15",
    ),
    _outputs(
        "translation-cs-java",
        "java",
        "ct",
        ("cg_ct_mt_qlora", "cs_ct_mt_qlora"),
        11000,
        "e2daa84434dd10287aeb93e1d74072c7404f3883ce4ec113e67f21bed4085a8d",
    ),
)
"""The public model outputs. Summaries and C# translations were not archived."""
FRAMES = {"java": ("import java.util.*;\n\npublic class {unit} {\n    ", "\n}")}
"""By language: the text before and after an output in the file that the study's tools read."""


def unit_of(instance_id: str, language: str) -> str:
    """What the study called the file of an output: in Java `Translation<n>` for `translation_<n>`,
    else `Generated_<id>`; in other languages the instance's id.
    """
    if language != "java":
        return instance_id
    number = re.fullmatch(r"translation_(\d+)", instance_id)
    return f"Translation{number[1]}" if number else "Generated_" + re.sub(r"\W", "_", instance_id)
