"""What the report says of studies that are run here, from their tables."""

import io

import pandas as pd
from mtpeft.catalog import catalog
from mtpeft.reporting.names import Names
from mtpeft.reporting.sections.digests import Digest, digests

KNOWN = catalog()
NAMES = Names(KNOWN)
LLM = "smollm2-135m-instruct"


def _frame(text: str) -> pd.DataFrame:
    # As tables of results are read: cells as text.
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)


def _by_title(study: str, **frames: str) -> dict[str, Digest]:
    read = {name: _frame(text) for name, text in frames.items()}
    return {d.title: d for d in digests(KNOWN.studies[study], read, NAMES)}


def test_values_stand_by_run_and_task_with_their_interval():
    found = _by_title(
        "miniature-peft",
        seeds=(
            "quantity,setting,backbone,method,tasks,task,metric,against,seeds,mean,deviation,low,high\n"
            "score,multi,minilm-l6,lora,t,code-search,mrr,,3,65.48,1.0,63.0,68.0\n"
            "score,multi,minilm-l6,lora,t,clone-detection,f1,,3,63.64,1.0,,\n"
            "difference,multi,minilm-l6,lora,t,code-search,mrr,multi fft,3,-1.0,1.0,-2.0,0.5\n"
            "score,pair,minilm-l6,lora,t,code-search,mrr,,3,60.0,1.0,59.0,61.0\n"
        ),
    )["Test values"]
    # Tasks in the study's order, which has clone detection first; a task that nothing measured has no column.
    assert found.head == ["Run", "Trained on", "Clone detection (F1)", "Code search (MRR)"]
    (row,) = found.rows
    assert row[1:] == ["all tasks", "63.6", "65.5 [63, 68]"]
    assert row[0].endswith(", LoRA")


def test_arms_stand_side_by_side_and_a_run_without_a_set_has_a_dash():
    found = _by_title(
        "miniature-qlora",
        scores=(
            "run,seed,evaluation,metric,n,without_value,mean\n"
            f"{LLM}/base,42,summarization-packages,bleu_sacrebleu_sentence_exp,100,0,0.05\n"
            f"{LLM}/mt-qlora,42,summarization-packages,bleu_sacrebleu_sentence_exp,98,2,0.15\n"
            f"{LLM}/mt-fft,42,translation-java-csharp,exact_match,100,0,0.25\n"
        ),
    )["Means"]
    assert found.head == [
        "Measured",
        "n",
        "base model",
        "multi-task QLoRA",
        "multi-task full fine-tuning",
    ]
    rows = {row[0].split(": ")[1]: row[1:] for row in found.rows}
    assert rows["BLEU ↑"] == ["100", "0.05", "0.15 (n 98)", "–"]
    assert rows["Exact match ↑"] == ["100", "–", "–", "0.25"]


def test_a_question_says_how_many_of_its_tests_are_below_the_level():
    head = (
        "question,seed,evaluation,metric,run_a,run_b,test,n,n_dropped,clusters,mean_a,mean_b,difference,low,high,"
        "detectable,p,p_adjusted,effect_name,effect,effect_low,effect_high,changed,note\n"
    )
    row = "RQ1,42,summarization-packages,{m},{l}/mt-qlora,{l}/mt-fft,wilcoxon,9,0,0,.1,.2,.1,.05,.15,.1,.001,{p},r,.5,.2,.7,9,\n"
    found = _by_title(
        "miniature-qlora",
        contrasts=head
        + row.format(m="bleu_sacrebleu_sentence_exp", l=LLM, p=0.004)
        + row.format(m="chrf2_sacrebleu_sentence", l=LLM, p=0.4)
        + row.format(m="meteor_nltk", l=LLM, p=""),
    )["Does multi-task QLoRA keep up with single-task QLoRA?"]
    assert found.note.startswith("1 of 2 tests below 0.05")
    assert found.rows[0][6:] == ["+0.1 [0.05, 0.15]", "0.0040", "0.5 [0.2, 0.7]"]
    assert found.rows[2][7] == "–"


def test_time_is_summed_by_stage_and_in_all():
    found = _by_title(
        "miniature-peft",
        cost=(
            "backbone,run,seed,stage,seconds,cpu_seconds\n"
            "minilm-l6,r,1,train,60,30\nminilm-l6,r,2,train,120,90\nminilm-l6,r,1,score,6,6\n"
        ),
    )["Time"]
    assert [row[1:] for row in found.rows] == [
        ["train", "2", "3.0", "2.0"],
        ["score", "1", "0.1", "0.1"],
        ["all", "3", "3.1", "2.1"],
    ]


def test_what_training_and_test_share_stands_by_task():
    found = _by_title(
        "miniature-peft",
        **{
            "near-duplicates": "task,train,test,near,same,other_label\n"
            "clone-detection,192,256,52,46,0\ncode-search,192,253,0,0,0\n"
        },
    )["What training and test share"]
    assert found.rows == [
        ["Clone detection", "192", "256", "52 (20%)", "46", "0"],
        ["Code search", "192", "253", "0 (0%)", "0", "0"],
    ]
