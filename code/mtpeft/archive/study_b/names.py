"""What study B's sources call things → the names of this project. Each function raises
`UnknownName` for anything else.
"""

import re

from mtpeft.core.errors import UnknownName

_GENERATION = {
    "MTL-gen1 (2025 paper-era code)": "G1",
    "Paper table (Plots.ipynb, 2025-09)": "G1",
    "MTL-gen2 (2026 revision code)": "G2",
    "Revision table (mft_results_table.tex, 2026-07)": "G2",
    "AutoAdapt baselines (Adapter-finetune repo)": "AD",
}
_TASK = {
    "vulnerability": "vulnerability-detection",
    "clone": "clone-detection",
    "flakiness": "flaky-detection",
    "search": "code-search",
}
_BACKBONE = {
    "UniXcoder-base": "unixcoder-base",
    "ModernBERT-base": "modernbert-base",
    "CodeT5+ 770M": "codet5p-770m",
    "DeepSeek-Coder-1.3B": "deepseek-coder-1.3b",
    "Qwen2.5-Coder-1.5B": "qwen2.5-coder-1.5b-base",
    "Qwen3-Embedding-4B": "qwen3-embedding-4b",
    "CodeT5+ 220M": "codet5p-220m",
    "CodeT5-base 220M": "codet5-base",
    "CodeBERT-base": "codebert-base",
    "GraphCodeBERT-base": "graphcodebert-base",
    "gpt-5.6-luna (OpenAI Batch API)": "gpt-5.6-luna",
    "codellama/CodeLlama-34b-Instruct-hf": "codellama-34b-instruct",
    "mistralai/Mistral-7B-Instruct-v0.3": "mistral-7b-instruct-v0.3",
    "bigcode/starcoder2-15b": "starcoder2-15b",
    "Qwen/Qwen2.5-Coder-32B-Instruct": "qwen2.5-coder-32b-instruct",
    "deepseek-ai/deepseek-coder-33b-instruct": "deepseek-coder-33b-instruct",
}
_METHOD = {
    "full": "fft",
    "serial_adapter": "serial_adapter",
    "parallel_adapter": "parallel_adapter",
    "lora": "lora",
    "mlora": "mlora",
    "prefix": "prefix",
    "none": "none",
}
_WEIGHTING = {
    "normalized(norm_v2)": "normalized",
    "uncertainty(unc_v2)": "uncertainty",
    "famo": "famo",
    "famo_broken(sign bug)": "famo-sign-error",
    "learnable softmax(w)": "learnable-softmax",
    "learnable softmax(w) (code of 2025-09)": "learnable-softmax",
    "n/a": "",
    "n/a (single; normalized flag)": "",
    "": "",
}
_SAMPLER = {
    "temperature T=0.30 (1 task/step)": "temperature-0.3",
    "round-robin": "round-robin",
    "round-robin (1 batch per task per step)": "round-robin",
    "RandomSampler": "random",
    "sequential batches of one task": "sequential",
    "": "",
}
_SPLIT = {
    "test": "test",
    "valid": "valid",
    "test n=2732": "test",
    "valid (default --flaky_file is valid.json)": "valid",
    "test sample n=1000": "test-sample-1000",
    "valid sample n=1000": "valid-sample-1000",
}
_SELECTION = {
    "best_valid_combined": "best_valid_combined",
    "best_valid": "best_valid",
    "best_per_task": "best_per_task",
    "last_epoch": "last_epoch",
    "single_run": "single_run",
    "reported": "reported",
    "reported (23/23 MFT rows = epoch with the best mean TEST score)": "reported",
}
# The study's zero-shot script prints macro F1 under the name F1.
_METRIC = {
    "f1 (script computes macro-F1)": "macro_f1",
    "mrr@10": "mrr_at_10",
    "mrr (100 random candidates)": "mrr_100_candidates",
    **{
        name: name
        for name in (
            "f1",
            "acc",
            "recall",
            "precision",
            "mrr",
            "loss",
            "macro_f1",
            "mcc",
            "macro_precision",
            "macro_recall",
        )
    },
}


def _known(kind: str, text: str, table: dict[str, str]) -> str:
    if text not in table:
        raise UnknownName(kind, text, table)
    return table[text]


def generation(text: str) -> str:
    """`G1`, `G2` or `AD`."""
    return _known("study", text, _GENERATION)


def basis(status: str) -> str:
    """`reported` for a typed number, `log` for a logged one."""
    return "reported" if status.startswith("reported") else "log"


def task(text: str) -> str:
    """Catalog id of a task."""
    return _known("task", text, _TASK)


def backbone(text: str) -> str:
    """Id of a backbone or prompted model."""
    return _known("backbone", text, _BACKBONE)


def method(text: str) -> tuple[str, str]:
    """(method, variant). A log whose file name and parameter count disagree is what its parameters
    say.
    """
    if text.startswith("(file name: parallel_adapter; logged delta"):
        return "lora", "filed as parallel_adapter; its parameters are LoRA's of rank 16"
    name, _, variant = text.partition("(")
    return _known("method", name, _METHOD), variant.rstrip(")")


def transfer(setting: str) -> str:
    """The remark in a setting such as `single(transfer from …)`."""
    found = re.fullmatch(r"single\((.*)\)", setting)
    return found[1] if found else ""


def weighting(text: str) -> str:
    """Loss weighting, empty where the run has one task."""
    return _known("loss weighting", text, _WEIGHTING)


def sampler(text: str) -> str:
    """Sampler, empty where nothing is trained."""
    return _known("sampler", text, _SAMPLER)


def split(text: str) -> str:
    """Split or the named sample of it."""
    return _known("split", text, _SPLIT)


def selection(text: str) -> str:
    """The rule that chose the epoch."""
    return _known("selection", text, _SELECTION)


def metric(text: str) -> str:
    """Metric by its exact variant."""
    return _known("metric", text, _METRIC)
