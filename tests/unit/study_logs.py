"""Made-up logs, notebook and LaTeX table in the formats of the study's public files.

All figures are invented. Sizes of splits are the real ones, because the importer looks them up.
"""

import gzip
import json
from pathlib import Path

DASHES = "INFO:name:" + "-" * 70
HEADER = "INFO:name:  Task                     Acc       F1    Recall   Precision     Loss      MRR"
VUL, CLONE, SEARCH, FLAKY = "vul_detection", "clone_detection", "code_search", "flakiness_detect"
TRAIN = {VUL: 21854, CLONE: 300000, SEARCH: 251820, FLAKY: 13081}
TEST = {VUL: 2732, CLONE: 415416, SEARCH: 19210, FLAKY: 4361}


def row(task: str, score: float, loss: str = "-") -> str:
    """A line of a table: accuracy, recall, precision are the score plus 0.02, 0.01 and -0.01."""
    if task == SEARCH:
        return f"INFO:name:  {task:<22}    -        -         -         -        -   {score:.4f}"
    cells = f"{score + 0.02:.4f}   {score:.4f}    {score + 0.01:.4f}      {score - 0.01:.4f}"
    return f"INFO:name:  {task:<22} {cells}   {loss}        -"


def table(title: str, scores: dict[str, float], combined: float | None = None) -> list[str]:
    """A table of one evaluation, as the revision prints it."""
    loss = "-" if combined is None else "0.5000"
    lines = [DASHES, f"INFO:name:{title}", HEADER, "INFO:name:  " + "-" * 68]
    lines += [row(task, score, loss) for task, score in scores.items()]
    lines += ["INFO:name:  " + "-" * 68]
    if combined is not None:
        lines += [f"INFO:name:                          combined = {combined:.4f}", DASHES]
    return [*lines, DASHES]


def revision_log(
    scores: list[dict[str, float]],
    best: tuple[int, ...] = (1,),
    model: str = "microsoft/unixcoder-base",
    peft: str = "lora",
    parameters: str = "trainable params: 2,359,296 || all params: 128,289,024 || trainable%: 1.8",
    final: bool = True,
    stopped: int | None = None,
    weighting: str = "normalized",
    factors: dict[int, float] | None = None,
) -> str:
    """A training log of the revision: one entry of `scores` per evaluated epoch.

    best: epochs that were a new best, whose test scores are half of their validation scores, or
    the share of `factors`.
    """
    tasks = list(scores[0])
    lines = [
        "DEBUG:httpcore.connection:close.started",
        "Downloading:  10%\rDownloading: 100%",
        parameters,
    ]
    if len(tasks) > 1:
        lines.append("INFO:name:Using TemperatureSampler  T=0.30  probs=['0.5', '0.5']")
    lines += [
        "INFO:name:***** Running Training *****",
        f"INFO:name:  Model         : {model}",
        f"INFO:name:  PEFT          : {peft}",
        f"INFO:name:  Loss weighting: {weighting}",
        "INFO:name:  Epochs        : 10",
        "INFO:name:  Batch size    : 32  |  LR: 1.00e-04  |  GPUs: 1",
        "INFO:name:  Tasks & train sizes:",
        *[f"INFO:name:    {task:<23} {TRAIN[task]} examples" for task in tasks],
    ]
    for epoch, values in enumerate(scores, start=1):
        lines += [
            f"INFO:name:E{epoch}/10  step 32/100  total=1.6057  |  {VUL}=0.6919",
            f"INFO:name:Epoch {epoch}/10 — Train Summary",
            f"INFO:name:  {tasks[0]}             0.6789    1.0000      28999621",
            "INFO:name:  epoch_time=100.5s  peak_gpu_memory=9.607GB",
            *table(f"Eval — Epoch {epoch}", values, sum(values.values()) / len(values)),
        ]
        if epoch in best:
            lines.append("INFO:name:  >> New best (0.6141) — checkpoint saved.")
            lines += [f"INFO:name:  Testing {t} ({TEST[t]} examples)" for t in tasks]
            share = (factors or {}).get(epoch, 0.5)
            lines += table(f"Test — Epoch {epoch}", {t: v * share for t, v in values.items()})
    if stopped is not None:
        lines.append(f"INFO:name:Epoch {stopped}/10 — Train Summary")
        lines.append(f"INFO:name:Early stopping triggered at epoch {stopped} — halting training.")
    if final:
        lines += table("Final Test — Epoch 10", {t: v / 4 for t, v in scores[-1].items()})
    return "\n".join(lines) + "\n"


def early_values(task: str, score: float, named: bool = True) -> list[str]:
    """`name = value` lines of one evaluation; accuracy is score + 0.02."""
    lines = [f"INFO:name:  task = {task}"] if named else []
    if task == SEARCH:
        return [*lines, f"INFO:name:  eval_mrr = {score:.4f}"]
    return [
        *lines,
        "INFO:name:  eval_loss = 0.6694",
        f"INFO:name:  eval_acc = {score + 0.02:.4f}",
        f"INFO:name:  f1_score = {score:.4f}",
        "INFO:name:  recall = 0.31",
        "INFO:name:  precision = 0.5",
    ]


def early_test(task: str, score: float, name: str | None = None) -> str:
    """One dictionary of test values; name: what it calls its task, where not by its name."""
    if task == SEARCH:
        return f"{{'task': '{task}', 'eval_mrr': {score}}} "
    called = f"'{task}'" if name is None else name
    return (
        f"{{'task': {called}, 'test_acc': {score + 0.02:.4f}, 'test_f1_score': {score}, "
        "'test_recall': 0.3, 'test_precision': 0.5} "
    )


def early_log(body: list[str], epochs: int, tree: str = "lora_A:[16, 768]", batch: int = 32) -> str:
    """A training log of the paper's own code around the lines of its epochs."""
    return "\n".join(
        [
            (
                'DEBUG:urllib3.connectionpool:https://huggingface.co:443 "HEAD '
                '/microsoft/unixcoder-base/resolve/main/config.json HTTP/1.1" 200 0'
            ),
            f"│   │   └── lora (LowRankLinear) {tree}",
            "[INFO|(OpenDelta)basemodel:696] >> Trainable Ratio: 589824/126519552=0.466192%",
            "INFO:name:***** Running training *****",
            f"INFO:name:  Num Epochs = {epochs}",
            f"INFO:name:  Total train batch size  = {batch}",
            *body,
            "",
        ]
    )


EVALUATION = "***** Running evaluation *****"
NEW_BEST = "***** Running Test *****"
FINAL_MODEL = "INFO:name:Saving model checkpoint to ./models/final_model_x/model.bin"


def pair_log() -> str:
    """Two epochs of a pair; the second is worse, so that the last block tests the last weights."""
    body = []
    for epoch, (clone, search) in enumerate(((0.9, 0.4), (0.8, 0.3)), start=1):
        body += [
            EVALUATION,
            "INFO:name:  Num examples clone detection = 415416",
            (
                f"tensor([{0.5 + epoch / 10:.4f}, 4.0000e-0{epoch}], device='cuda:0', "
                "grad_fn=<SoftmaxBackward0>)"
            ),
            "INFO:name:  Num examples code search = 9604",
            *early_values(CLONE, clone),
            *early_values(SEARCH, search),
        ]
        if epoch == 1:
            body += [NEW_BEST, "INFO:name:  Num examples for clone detection = 415416"]
            body += [early_test(CLONE, 0.71), early_test(SEARCH, 0.348488)]
    body += [FINAL_MODEL, early_test(CLONE, 0.61), early_test(SEARCH, 0.25)]
    return early_log(body, epochs=2)


def single_log(task: str, named: str, valid: list[float], tested: dict[int, float]) -> str:
    """A single-task log; tested: test score by epoch that was a new best."""
    body = []
    for epoch, score in enumerate(valid, start=1):
        body += [EVALUATION, f"INFO:name:  Num examples {named} = {VALID[task]}"]
        if task == SEARCH:
            body[-1] = f"INFO:name:  Num queries = {VALID[task]}"
        body += early_values(task, score, named=task != SEARCH)
        if epoch in tested:
            body.append(NEW_BEST)
            body += (
                [
                    f"INFO:name:  Num queries = {TEST[task]}",
                    f"INFO:name:  eval_mrr = {tested[epoch]}",
                ]
                if task == SEARCH
                else [early_test(task, tested[epoch], "tensor(3)")]
            )
    return early_log(body, epochs=len(valid))


VALID = {VUL: 2732, CLONE: 415416, SEARCH: 9604, FLAKY: 4360}

ZERO_SHOT = """INFO: vulnerability_detection: 1000 samples (mode=zero)
                   Task        Model  Samples  Accuracy  Macro_F1    MCC  Macro_P  Macro_R
vulnerability_detection gpt-5.6-luna     1000     0.111    0.1111 0.1111   0.1111   0.1111
====================================================================
                   Task        Model  Samples  Accuracy  Macro_F1  MCC  Queries  MRR@K CandidatePool
vulnerability_detection gpt-5.6-luna     1000     0.534    0.5337 0.1      NaN    NaN           NaN
            flaky_tests gpt-5.6-luna     1000     0.759    0.5069 0.2      NaN    NaN           NaN
            code_search gpt-5.6-luna     1000       NaN       NaN NaN   1000.0 0.9594         100.0
====================================================================
"""
FEW_SHOT = (
    "vulnerability_detection: samples: 100%|█| 2732/2732 [38:16<00:00,  1.13ex/s]\r\n"
    "Task Model Samples Accuracy Macro_F1 PerLabelMCC PerLabel\n"
    "vulnerability_detection codellama/CodeLlama-34b-Instruct-hf 2732 0.4985 0.4942 "
    "{'0': 0.01, '1': 0.02} {'0': {'precision': 0.5, 'recall': 0.3, 'f1': 0.4}, "
    "'1': {'precision': 0.4668, 'recall': 0.6438, 'f1': 0.5412}}\n"
)

CELLS = [
    ["import pandas\n"],
    ["import pandas\n"],
    [
        "prompt_rows = [\n",
        '    ("bigcode/starcoder2-15b",   15, 12.14, 45.94,  3.58,  6.82),\n',
        "]",
    ],
    [
        "SFT_full = {\n",
        '    "Unixcoder": {"Vuln Acc":65.19},\n',
        "}\n",
        "clone_search = {\n",
        '    "Unixcoder": {"Single-Full":[SFT_full["Unixcoder"]["Clone F1"], 1],\n',
        '                  "2tasks-Adapter":[94.18, 36.73], "2tasks-LoRA":[71.0 , 34.84 ]},\n',
        "}\n",
        "search_flaky = {\n",
        '    "Qwen" : {"Single-Full":[1, 2],\n',
        '              "2tasks-Adapter":[28.31 , 68.91] , "2tasks-LoRA":[30.60 , 62.02]},\n',
        "}",
    ],
    [
        'add("MFT","Unixcoder-base","Full",100.00,93.70,61.35,71.20,32.94)\n',
        'add("SFT","Codet5+ 770M","LoRA",0.42,93.99,63.56,70.21,37.70)\n',
        'add("SFT","Deepseek coder 1.3B","LoRA",0.24,93.75,63.73,66.90,43.57)',
    ],
]


def notebook(cells: list[list[str]] = CELLS) -> str:
    """A notebook as Jupyter writes it: one line of the file per source line."""
    return json.dumps(
        {"cells": [{"cell_type": "code", "source": source} for source in cells]}, indent=1
    )


_RED = r"\multicolumn{1}{c}{\textcolor{red}{%s}}"
_NONE = r"\multicolumn{1}{c}{--}"
_ROWS = [
    r"\textbf{Model} & \textbf{Method} & \textbf{Trainable\%} \\",
    r"\multicolumn{11}{|c|}{\bfseries MFT (multi-task)} \\ \hline",
    "",
    r"\multirow{5}{*}{\bfseries UniXcoder-base}",
    r"& LoRA ($r$=32) & \multicolumn{1}{c|}{\textcolor{red}{1.84}} & "
    + _RED % "45.00"
    + r" & \textcolor{red}{\UP{2.45}} & 32.00 & \DOWN{-0.15} & {40.00} & & 20.00 & \ \\",
    r"\hline",
    r"\multicolumn{11}{|c|}{\bfseries SFT (single-task)} \\ \hline",
    r"\multirow{5}{*}{\bfseries Codet5+ 770M}",
    r"& LoRA     &   0.42 & {93.99} & \DOWN{0.74} & {63.56} & & {70.21} & & {37.70} & \\",
    r"\multirow{5}{*}{\bfseries ModernBERT-base}",
    rf"& Full     & 100.00 & {_NONE} & & 62.23 & & 64.23 & & {_NONE} & \\",
    rf"& Prefix   & {_NONE} & {_NONE} & & {_NONE} & & {_NONE} & & {_NONE} & \\",
    "",
]
LATEX = "\n".join(_ROWS)

FOUR = {VUL: 0.6, CLONE: 0.9, SEARCH: 0.4, FLAKY: 0.8}
WORSE = {VUL: 0.7, CLONE: 0.5, SEARCH: 0.3, FLAKY: 0.7}


def files() -> dict[str, str]:
    """Files of the study's repository by their paths."""
    return {
        "logs/multi_task/unix_lora_norm.log": revision_log([FOUR, WORSE], stopped=3),
        "logs/pairwise/session.log": "the same again\n",
        "logs/gpt_eval_zero.log": ZERO_SHOT,
        "logs/FewShot_results_codeLlama_34B.log": FEW_SHOT,
        "old_logs/logs_unixcoder/clone_search_lora.log": pair_log(),
        "old_logs/logs_unixcoder/vul_lora16.log": single_log(
            VUL, "vulnerability detection", [0.5, 0.5], {1: 0.4, 2: 0.45}
        ),
        "old_logs/logs_unixcoder/flaky_adapterParallel.log": single_log(
            FLAKY, "Flakiness detection", [0.5, 0.4], {1: 0.3}
        ),
        "Plots.ipynb": notebook(),
        "mft_results_table.tex": LATEX,
    }


def sibling_files() -> dict[str, str]:
    """Files of the sibling study's repository by their paths."""
    return {
        "baselines/unixcoder_codesearch_lora.log": single_log(
            SEARCH, "", [0.45, 0.44, 0.45], {1: 0.38, 3: 0.39}
        ),
    }


def write_files(root: Path, texts: dict[str, str], zipped: bool = False) -> Path:
    """A checkout, or a mirror that holds every file gzipped."""
    for name, text in texts.items():
        path = root / (f"{name}.gz" if zipped else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode()
        path.write_bytes(gzip.compress(data, mtime=0) if zipped else data)
    return root
