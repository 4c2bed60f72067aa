"""Study B's figures: how they are read from logs, notebook and table, what the importer refuses,
and that generations stay apart.
"""

import math
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import study_logs as made
from mtpeft.archive.dialect import dialect_of
from mtpeft.archive.figures import import_figures
from mtpeft.archive.stage import import_studies
from mtpeft.catalog import Study, catalog
from mtpeft.core.errors import BadInput, UnknownName
from mtpeft.statistics.figures import FigureSet
from mtpeft.verification import files

STUDY = catalog().studies["multitask-peft"]
DIALECT = dialect_of(STUDY)


def part(name: str) -> Any:
    """A module beside the study's dialect."""
    return import_module(f"{DIALECT.__package__}.{name}")


collect = part("collect").collect
counterparts, printed_cells = part("counterparts").counterparts, part("counterparts").printed_cells
read_early_log = part("early").read_early_log
Counts, Logged = part("parameters").Counts, part("parameters").Logged
read_prompted_log = part("prompted").read_prompted_log
read_revision_log = part("revision").read_revision_log
read_latex, read_notebook = part("typed").read_latex, part("typed").read_notebook
Collected = Any
REPOSITORIES = [u.repository for u in DIALECT.UPSTREAM]
LOG = Path("some.log")
MULTI = "G2/logs/multi_task/unix_lora_norm.log"
PAIR = "G1/old_logs/logs_unixcoder/clone_search_lora.log"
SIBLING = "AD/baselines/unixcoder_codesearch_lora.log"


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("upstream")
    return (
        made.write_files(folder / "study", made.files()),
        made.write_files(folder / "sibling", made.sibling_files()),
    )


@pytest.fixture(scope="module")
def found(checkouts: tuple[Path, Path]) -> Collected:
    return collect(*checkouts)


def value(found: Collected, run: str, task: str, split: str, selection: str, metric: str) -> float:
    """The one figure of that description; NaN where there is none."""
    wanted = (run, task, split, selection, metric)
    values = [
        f.value for f in found.figures if (f.run, f.task, f.split, f.selection, f.metric) == wanted
    ]
    assert len(values) <= 1
    return values[0] if values else math.nan


# ---------------------------------------------------------------- logs of the revision


def test_the_best_epoch_is_the_last_new_best_and_the_final_test_another(found: Collected) -> None:
    for selection, expected in (("best_valid_combined", 0.45), ("last_epoch", 0.125)):
        assert value(found, MULTI, "clone-detection", "test", selection, "f1") == expected


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Collected:
    """Of three new bests the second has the best test; a fourth epoch is trained, not evaluated."""
    folder = tmp_path_factory.mktemp("twice")
    texts = made.files()
    texts["logs/multi_task/unix_lora_norm.log"] = made.revision_log(
        [made.FOUR, made.FOUR, made.WORSE], best=(1, 2, 3), factors={2: 0.6}, stopped=4
    )
    texts["logs/multi_task/run_famo_broken.log"] = made.revision_log(
        [made.FOUR], weighting="famo"
    ).replace("DEBUG:httpcore.connection", "DEBUG:urllib3.connectionpool")
    return collect(
        made.write_files(folder / "study", texts),
        made.write_files(folder / "sibling", made.sibling_files()),
    )


def test_a_better_test_before_the_last_new_best_is_not_taken(twice: Collected) -> None:
    task = "clone-detection"
    assert value(twice, MULTI, task, "test", "best_valid_combined", "f1") == 0.25
    cells = [c for c in printed_cells(twice) if (c.setting, c.column) == ("multi", task)]
    logged = {r.rule: r.logged for r in counterparts(twice, cells) if r.run == MULTI}
    assert logged["best_test"] == pytest.approx(54) and logged["last_epoch"] == pytest.approx(12.5)


def test_the_epoch_that_ended_a_run_counts_though_it_was_not_evaluated(twice: Collected) -> None:
    run = twice.runs[MULTI]
    assert run.epochs == 4 and run.status == "complete; early stop at epoch 4 of 10"
    assert run.seconds == 301.5


def test_a_log_of_the_broken_weighting_is_not_filed_with_the_repaired(twice: Collected) -> None:
    run = twice.runs["G2/logs/multi_task/run_famo_broken.log"]
    assert run.weighting == "famo-sign-error"
    assert run.stack.startswith("urllib3") and twice.runs[MULTI].stack.startswith("httpcore")


def test_the_highest_validation_of_one_task_is_not_that_of_the_best_epoch(found: Collected) -> None:
    task = "vulnerability-detection"
    assert value(found, MULTI, task, "valid", "best_valid_combined", "acc") == 0.62
    assert value(found, MULTI, task, "valid", "best_per_task", "acc") == 0.72


def test_the_final_test_is_of_the_epoch_reached_not_of_the_epochs_asked_for() -> None:
    log = read_revision_log(LOG, made.revision_log([made.FOUR], stopped=2).encode())
    assert log.final is not None and log.final.epoch == 2


def test_a_killed_log_has_no_figure_of_the_last_epoch() -> None:
    log = read_revision_log(LOG, made.revision_log([made.FOUR], final=False).encode())
    assert log.final is None and log.tests[-1].epoch == 1


def test_a_row_of_search_has_no_classification_metric_and_others_no_mrr() -> None:
    log = read_revision_log(LOG, made.revision_log([made.FOUR]).encode())
    assert log.tests[0].tasks["code-search"].values == {"mrr": 0.2}
    assert set(log.valid[0].tasks["clone-detection"].values) == {
        "acc",
        "f1",
        "recall",
        "precision",
        "loss",
    }


def test_a_training_summary_is_not_read_as_a_table_of_scores() -> None:
    log = read_revision_log(LOG, made.revision_log([made.FOUR], best=(), final=False).encode())
    assert [len(b.tasks) for b in log.valid] == [4] and not log.tests


@pytest.mark.parametrize("zipped", [False, True])
def test_every_figure_names_the_line_that_printed_it(tmp_path: Path, zipped: bool) -> None:
    texts = made.files() | made.sibling_files()
    root = made.write_files(tmp_path / "a", made.files(), zipped)
    single = made.write_files(tmp_path / "b", made.sibling_files(), zipped)
    figures = collect(root, single).figures
    assert figures
    for f in figures:
        line = texts[f.file].split("\n")[f.line - 1]
        numbers = [float(n) for n in re.findall(r"\d+\.\d+", line)]
        assert any(abs(n / scale - f.value) < 6e-5 for n in numbers for scale in (1, 100)), f


def test_a_log_without_any_evaluation_is_refused_by_name(tmp_path: Path) -> None:
    text = made.revision_log([made.FOUR], best=(), final=False)
    path = tmp_path / "study/logs/multi_task/unix_lora_norm.log"
    root = made.write_files(tmp_path / "study", made.files())
    path.write_text(text[: text.index("INFO:name:E1/10")])
    with pytest.raises(BadInput, match="no validation of") as caught:
        collect(root, made.write_files(tmp_path / "sibling", made.sibling_files()))
    assert caught.value.path == path


def test_a_cell_that_is_no_number_is_refused_with_its_line() -> None:
    text = made.revision_log([made.FOUR]).replace("0.6200   0.6000", "nil   0.6000")
    with pytest.raises(BadInput, match="'nil'") as caught:
        read_revision_log(LOG, text.encode())
    assert text.split("\n")[(caught.value.line or 0) - 1].endswith("0.5000        -")


# ---------------------------------------------------------------- counts of parameters


def _logged(
    backbone: str,
    method: str,
    printed: tuple[float, float, int] | None,
    early: bool = False,
) -> Logged:
    return Logged(Path(f"{backbone}-{method}"), f"{method}.log", early, backbone, method, printed)


ENCODER, DECODER = 1000.0, 500.0
LORA = _logged("t5", "lora", (40, ENCODER + 40, 7))
EARLY = _logged("t5", "lora", (20, ENCODER + DECODER + 20, 3), early=True)


def test_full_fine_tuning_trains_what_other_logs_hold_fixed() -> None:
    full = _logged("t5", "fft", None)
    count = Counts([LORA, full]).of(full)
    assert (count.trainable, count.total) == (ENCODER, ENCODER)


def test_a_count_of_zero_is_taken_from_a_log_of_the_same_backbone_and_method() -> None:
    late = _logged("t5", "serial_adapter", (0, ENCODER, 5))
    pair = _logged("t5", "serial_adapter", (60, ENCODER + 60, 9))
    count = Counts([LORA, late, pair]).of(late)
    assert (count.trainable, count.total, count.file, count.line) == (
        60,
        ENCODER + 60,
        "serial_adapter.log",
        9,
    )


def test_an_unused_decoder_is_not_counted_as_trained() -> None:
    mlora = _logged("t5", "mlora", (DECODER + 80, ENCODER + DECODER + 80, 5))
    count = Counts([LORA, EARLY, mlora]).of(mlora)
    assert (count.trainable, count.total) == (80, ENCODER + 80)


def test_a_count_that_no_log_tells_is_refused() -> None:
    late = _logged("t5", "parallel_adapter", (0, ENCODER, 5))
    with pytest.raises(BadInput, match="no other log tells"):
        Counts([LORA, late]).of(late)


# ---------------------------------------------------------------- early logs


def test_a_pairs_last_block_is_not_the_test_of_its_best_epoch(found: Collected) -> None:
    assert value(found, PAIR, "clone-detection", "test", "best_valid_combined", "f1") == 0.71
    assert value(found, PAIR, "clone-detection", "test", "last_epoch", "f1") == 0.61


def test_a_best_test_printed_after_the_final_save_stays_a_best_test() -> None:
    body = [made.EVALUATION, *made.early_values(made.CLONE, 0.9)]
    body += [*made.early_values(made.SEARCH, 0.4), made.NEW_BEST, made.early_test(made.CLONE, 0.7)]
    body += [made.FINAL_MODEL, made.early_test(made.SEARCH, 0.3)]
    body += [made.early_test(made.CLONE, 0.6), made.early_test(made.SEARCH, 0.2)]
    log = read_early_log(LOG, made.early_log(body, epochs=1).encode())
    assert [b.tasks["code-search"].values["mrr"] for b in (*log.best, *log.last)] == [0.3, 0.2]


def test_equal_validations_of_the_papers_code_give_the_later_saved_model(found: Collected) -> None:
    run = "G1/old_logs/logs_unixcoder/vul_lora16.log"
    assert value(found, run, "vulnerability-detection", "test", "best_valid", "f1") == 0.45


def test_equal_validations_of_the_sibling_study_give_the_first_epoch(found: Collected) -> None:
    assert value(found, SIBLING, "code-search", "test", "best_valid", "mrr") == 0.38


def test_a_log_filed_as_an_adapter_whose_modules_are_lora_is_lora(found: Collected) -> None:
    run = found.runs["G1/old_logs/logs_unixcoder/flaky_adapterParallel.log"]
    assert run.method == "lora"
    assert run.variant == "filed as parallel_adapter; its parameters are LoRA's of rank 16"


def test_an_mrr_is_validation_before_and_test_after_the_test_begins(found: Collected) -> None:
    assert value(found, SIBLING, "code-search", "valid", "best_per_task", "mrr") == 0.45
    assert math.isnan(value(found, SIBLING, "code-search", "test", "last_epoch", "mrr"))


def test_a_log_cut_short_says_how_many_epochs_it_has() -> None:
    text = made.single_log(made.VUL, "vulnerability detection", [0.5], {1: 0.4})
    log = read_early_log(LOG, text.replace("Num Epochs = 1", "Num Epochs = 9").encode())
    assert (len(log.valid), log.epochs) == (1, 9)


def test_values_of_no_named_task_are_refused_in_a_log_of_two() -> None:
    body = [made.EVALUATION, "INFO:name:  Num examples clone detection = 415416"]
    body += ["INFO:name:  Num queries = 9604", *made.early_values(made.CLONE, 0.9, named=False)]
    with pytest.raises(BadInput, match="no named task"):
        read_early_log(LOG, made.early_log(body, epochs=1).encode())


# ---------------------------------------------------------------- prompted models


def test_the_last_summary_of_a_prompting_log_counts() -> None:
    rows = {r.task: r for r in read_prompted_log(LOG, made.ZERO_SHOT.encode()).rows}
    assert rows["vulnerability-detection"].values["acc"] == 0.534
    assert rows["code-search"].values == {"mrr": 0.9594}
    assert rows["code-search"].candidates == 100


def test_values_of_the_positive_class_are_not_those_of_the_negative_one() -> None:
    log = read_prompted_log(LOG, made.FEW_SHOT.encode())
    assert log.rows[0].values["f1"] == 0.5412 and log.seconds == 2296


def test_a_sample_is_not_filed_as_the_whole_split(found: Collected) -> None:
    splits = {(f.task, f.split) for f in found.figures if f.file == "logs/gpt_eval_zero.log"}
    assert splits == {
        ("vulnerability-detection", "test-sample-1000"),
        ("flaky-detection", "valid-sample-1000"),
        ("code-search", "test-sample-1000"),
    }


# ---------------------------------------------------------------- typed numbers


def test_a_pairs_numbers_go_to_the_tasks_that_its_table_names() -> None:
    cells = read_notebook(LOG, made.notebook().encode())
    pairs = {(c.backbone, c.method, c.column): c.value for c in cells if c.setting == "pair"}
    assert pairs["qwen2.5-coder-1.5b-base", "lora", "code-search"] == 30.60
    assert pairs["qwen2.5-coder-1.5b-base", "lora", "flaky-detection"] == 62.02
    assert pairs["unixcoder-base", "serial_adapter", "clone-detection"] == 94.18


def test_a_notebooks_line_is_that_of_its_own_cell_where_lines_repeat() -> None:
    cells = [*made.CELLS[:1], made.CELLS[4], *made.CELLS[2:]]
    text = made.notebook(cells)
    lines = text.split("\n")
    row = [n for n, line in enumerate(lines, start=1) if '\\"MFT\\"' in line]
    assert len(row) == 2
    table = [c for c in read_notebook(LOG, text.encode()) if c.setting == "multi"]
    assert {c.line for c in table} == {row[1]} and {c.cell for c in table} == {4}


def test_differences_and_dashes_of_the_latex_table_are_no_numbers() -> None:
    rows: dict[int, list[float]] = {}
    for cell in read_latex(LOG, made.LATEX.encode()):
        rows.setdefault(cell.line, []).append(cell.value)
    assert list(rows.values()) == [
        [1.84, 45.0, 32.0, 40.0, 20.0],
        [0.42, 93.99, 63.56, 70.21, 37.7],
        [100.0, 62.23, 64.23],
    ]


def test_a_row_of_too_few_cells_is_refused_with_its_line() -> None:
    text = made.LATEX.replace("{70.21} & & ", "")
    with pytest.raises(BadInput, match="4 numbers") as caught:
        read_latex(LOG, text.encode())
    assert caught.value.line == 9


def test_an_unknown_backbone_is_refused_with_its_line() -> None:
    text = made.notebook().replace("Deepseek coder 1.3B", "Deepsea coder")
    with pytest.raises(BadInput, match="unknown backbone") as caught:
        read_notebook(LOG, text.encode())
    assert "Deepsea" in text.split("\n")[(caught.value.line or 0) - 1]


def test_a_row_that_repeats_the_papers_keeps_its_generation(found: Collected) -> None:
    single = [c for c in printed_cells(found) if (c.table, c.setting) == ("revision", "single")]
    assert {(c.backbone, c.generation) for c in single} == {
        ("codet5p-770m", "G1"),
        ("modernbert-base", "G2"),
    }


# ---------------------------------------------------------------- counterparts


def test_each_rule_of_choosing_from_a_log_is_told_apart(found: Collected) -> None:
    cells = [c for c in printed_cells(found) if (c.table, c.setting) == ("revision", "multi")]
    logged = {
        (c.column, c.rule): c.logged for c in counterparts(found, cells) if c.logged is not None
    }
    assert logged["clone-detection", "best_valid_combined"] == pytest.approx(45)
    assert logged["clone-detection", "last_epoch"] == pytest.approx(12.5)
    assert logged["trainable_percent", "parameters"] == pytest.approx(1.83905, abs=1e-5)


def test_a_cell_is_held_against_all_digits_of_its_log(found: Collected) -> None:
    records = counterparts(found, [c for c in printed_cells(found) if c.table == "pairs"])
    best = [r for r in records if r.run == PAIR and r.rule == "best_valid_combined"]
    assert {r.column: r.logged for r in best}["code-search"] == pytest.approx(34.8488)
    assert value(found, PAIR, "code-search", "test", "best_valid_combined", "mrr") == 0.3485


def test_a_cell_without_a_log_says_so(found: Collected) -> None:
    cells = printed_cells(found)
    records = counterparts(found, cells)
    keys = ("document", "table", "setting", "backbone", "method", "tasks", "column")
    assert {tuple(getattr(r, k) for k in keys) for r in records} == {
        tuple(getattr(c, k) for k in keys) for c in cells
    }
    bare = [r for r in records if r.rule == "no log"]
    assert bare and all(r.logged is None and not r.run for r in bare)


def test_a_log_of_another_loss_weighting_is_no_counterpart(tmp_path: Path) -> None:
    texts = made.files()
    texts["logs/multi_task/unix_lora_unc.log"] = made.revision_log(
        [made.FOUR], weighting="uncertainty"
    )
    root = made.write_files(tmp_path / "study", texts)
    other = collect(root, made.write_files(tmp_path / "sibling", made.sibling_files()))
    records = counterparts(other, printed_cells(other))
    assert not any("unc" in r.run for r in records if r.column != "trainable_percent")


# ---------------------------------------------------------------- importing


@pytest.fixture
def importing(tmp_path: Path):
    root = made.write_files(tmp_path / "study", made.files())
    single = made.write_files(tmp_path / "sibling", made.sibling_files())
    published = tmp_path / "published"

    def run(repin: bool = False, allow_loss: bool = False) -> dict[str, bytes]:
        pinned = published / STUDY.id / "sources.csv"
        roots = dict(zip(REPOSITORIES, (root, single), strict=True))
        import_figures(STUDY, repin, roots, published, allow_loss, pinned)
        return {p.name: p.read_bytes() for p in sorted(published.rglob("*")) if p.is_file()}

    return root, published, run


def test_the_same_files_give_the_same_bytes_and_pass_t0(importing) -> None:
    _, published, run = importing
    first = run(repin=True)
    assert run() == first
    verdicts = files.check((published,))
    assert len(verdicts) == 7 and all(v.verdict == "exact" for v in verdicts)


def test_every_upstream_file_is_pinned_also_one_without_figures(importing) -> None:
    root, _, run = importing
    run(repin=True)
    (root / "logs/pairwise/session.log").write_text("changed\n")
    with pytest.raises(BadInput, match="SHA-256") as caught:
        run()
    assert caught.value.path == root / "logs/pairwise/session.log"
    run(repin=True)
    run()


def test_pinning_again_refuses_to_lose_a_file_unless_told(importing) -> None:
    root, _, run = importing
    before = run(repin=True)
    (root / "old_logs/logs_unixcoder/vul_lora16.log").rename(root / "gone.log")
    log = root / "old_logs/logs_unixcoder/clone_search_lora.log"
    log.write_text(log.read_text() + "INFO:name:  Num examples vulnerability detection = 2732\n")
    with pytest.raises(BadInput, match="missing") as caught:
        run(repin=True)
    assert "--allow-loss" in (caught.value.fix or "")
    assert len(run(repin=True, allow_loss=True)["figures.csv"]) < len(before["figures.csv"])


def test_pinning_again_refuses_to_lose_figures_of_a_file_unless_told(importing) -> None:
    root, _, run = importing
    run(repin=True)
    log = root / "logs/multi_task/unix_lora_norm.log"
    text = log.read_text()
    log.write_text(text[: text.index("INFO:name:Final Test")])
    with pytest.raises(BadInput, match="SHA-256"):
        run(repin=True)
    run(repin=True, allow_loss=True)


def test_an_unknown_model_is_refused_and_nothing_is_written(importing) -> None:
    root, published, run = importing
    log = root / "logs/multi_task/unix_lora_norm.log"
    log.write_text(log.read_text().replace("microsoft/unixcoder-base", "microsoft/unixcoder"))
    with pytest.raises(BadInput, match="unknown backbone") as caught:
        run(repin=True)
    assert caught.value.path == log and not published.exists()


def test_a_number_that_is_typed_twice_is_refused_with_its_line(importing) -> None:
    root, _, run = importing
    table = [*made.CELLS[4][:1], *made.CELLS[4]]
    table[1] = table[1].replace("93.70", "93.71")
    (root / "Plots.ipynb").write_text(made.notebook([*made.CELLS[:4], table]))
    with pytest.raises(BadInput, match="f1 of clone-detection occurs twice") as caught:
        run(repin=True)
    assert caught.value.line


@pytest.mark.parametrize(("last", "collapsed"), [("0.7000", "no"), ("0.9951", "yes")])
def test_learnable_weights_are_those_of_the_first_and_the_last_epoch(
    importing, last: str, collapsed: str
) -> None:
    root, _, run = importing
    log = root / "old_logs/logs_unixcoder/clone_search_lora.log"
    log.write_text(log.read_text().replace("0.7000", last))
    rows = run(repin=True)["weights.csv"].decode().splitlines()[1:]
    task = [row.split(",")[1:5] for row in rows]
    assert task[0] == ["clone-detection", "0.6", f"{float(last):g}", collapsed]
    assert task[1] == ["code-search", "0.4", "0.04", collapsed]


def test_a_size_that_no_log_prints_is_not_called_logged(importing) -> None:
    root, _, run = importing
    log = root / "logs/multi_task/unix_lora_norm.log"
    log.write_text(log.read_text().replace("251820 examples", "251821 examples"))
    with pytest.raises(BadInput, match="no log prints that code-search has 251820"):
        run(repin=True)


def test_a_study_without_an_importer_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="multitask-peft"):
        import_studies("multitask-pefd")


# ---------------------------------------------------------------- dialects


def outside(folder: Path, text: str | None, beside: str = "") -> Study:
    """A study from a folder outside the package."""
    folder.mkdir()
    if text is not None:
        (folder / "dialect.py").write_text(text)
    (folder / "names.py").write_text(beside)
    return replace(STUDY, id=folder.name, folder=folder)


def test_studies_with_modules_of_the_same_name_do_not_share_them(tmp_path: Path) -> None:
    text = "from .names import WHO\nUPSTREAM = ()\n\ndef read_figures(roots):\n    return WHO\n"
    one = outside(tmp_path / "a-study", text, "WHO = 1\n")
    other = outside(tmp_path / "b-study", text, "WHO = 2\n")
    assert [dialect_of(s).read_figures({}) for s in (one, other, one)] == [1, 2, 1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "no such file"),
        ("UPSTREAM = ()\n", "no read_figures"),
        ("import no_such_module_here\n", "cannot be loaded: ModuleNotFoundError"),
        ("UPSTREAM = (\n", "cannot be loaded: SyntaxError"),
    ],
)
def test_a_dialect_that_cannot_serve_is_refused_by_file(
    tmp_path: Path, text: str | None, found: str
) -> None:
    study = outside(tmp_path / "c-study", text)
    with pytest.raises(BadInput, match=found) as caught:
        dialect_of(study)
    assert caught.value.path == study.folder / "dialect.py"


def test_the_study_and_its_dialect_name_the_same_repository_and_commit() -> None:
    first = DIALECT.UPSTREAM[0]
    assert (first.repository, first.commit) == (STUDY.repository, STUDY.commit)


# ---------------------------------------------------------------- the shipped figures


def test_every_shipped_figure_names_repository_commit_file_and_line() -> None:
    data = FigureSet.of(STUDY)
    assert len(data.figures) == 3365 and len(data.runs) == 369 and len(data.printed) == 493
    assert all(f.repository and len(f.commit) == 40 and f.file and f.line for f in data.figures)
    assert all(c.repository and len(c.commit) == 40 and c.file and c.line for c in data.printed)


def test_a_log_filed_under_the_wrong_method_counts_as_what_its_parameters_say() -> None:
    run = FigureSet.of(STUDY).runs[
        "G1/old_logs/logs_codet5p/flakiness_detection_adapterParallel.log"
    ]
    assert run.method == "lora" and "parallel_adapter" in run.variant


def test_single_task_rows_copied_into_the_revisions_table_keep_their_generation() -> None:
    rows = {
        (c.backbone, c.method): c.generation
        for c in FigureSet.of(STUDY).printed
        if (c.table, c.setting) == ("revision", "single") and c.column == "vulnerability-detection"
    }
    assert rows["unixcoder-base", "fft"] == "G1" and rows["modernbert-base", "fft"] == "G2"
