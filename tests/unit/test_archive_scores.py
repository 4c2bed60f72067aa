"""Importing per-instance scores: a file that is not what it should be is refused by name, line and
reason.
"""

import pytest
from mtpeft.archive.scores import read_all, read_scores_file, run_of
from mtpeft.core.errors import BadInput, UnknownName
from upstream import COUNTER, DIALECT, SCORES, write_upstream

HERE = "counter/translation/cs_java"


@pytest.fixture
def evaluation(known):
    return known.evaluations()["translation-cs-java"]


@pytest.fixture
def read(tmp_path, evaluation):
    def one(content):
        path = tmp_path / "file.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_scores_file(path, COUNTER, evaluation, "run", DIALECT)

    return one


GOOD = "instance_id,LoC,Depth\n0,4,1\n1,6,2\n2,5,0\n"


def test_values_are_carried_over_as_they_are(read):
    frame = read(GOOD)
    assert list(frame.columns) == ["run", "row", "instance_id", "status", "lines", "depth"]
    assert frame.to_numpy().tolist() == [
        ["run", 1, "translation_0", "ok", 4, 1],
        ["run", 2, "translation_1", "ok", 6, 2],
        ["run", 3, "translation_2", "ok", 5, 0],
    ]


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + GOOD.encode(),
        "Depth,instance_id,LoC\n1,0,4\n2,1,6\n0,2,5\n",
        GOOD.replace("\n1,", "\n translation_1 ,"),
    ],
)
def test_line_ends_byte_order_mark_and_column_order_do_not_matter(read, content):
    assert read(content).equals(read(GOOD))


@pytest.mark.parametrize(
    "content, line, found",
    [
        (GOOD[:-1], 4, "truncated"),
        (GOOD[:-3], 4, "truncated"),
        ("", None, "empty"),
        (GOOD.replace("Depth", "Depths"), 1, "header"),
        (GOOD.replace("LoC,", "LoC,LoC,"), 1, "header"),
        (GOOD.replace("instance_id", "id"), 1, "header"),
        ("instance_id\n0\n", 1, "header"),
        (GOOD.replace("1,6,2", "1,six,2"), 3, "LoC is 'six'"),
        (GOOD.replace("1,6,2", "1,,2"), 3, "LoC is ''"),
        (GOOD.replace("1,6,2", "1,nan,2"), 3, "LoC is 'nan'"),
        (GOOD.replace("1,6,2", "1,6,inf"), 3, "Depth is 'inf'"),
        (GOOD.replace("1,6,2", "1,6"), 3, "2 fields"),
        (GOOD.replace("1,6,2", "1,6,2,9"), 3, "4 fields"),
        (GOOD.replace("1,6,2", ""), 3, "0 fields"),
        (GOOD.replace("1,6,2", '1,"6,2'), 3, "fields"),
        (GOOD.replace("1,6,2", "0,6,2"), 3, r"translation_0 again \(first on line 2\)"),
        (GOOD.replace("1,6,2", "translation_0,6,2"), 3, "translation_0 again"),
        (GOOD.replace("1,6,2", " ,6,2"), 3, "empty instance id"),
        ("instance_id,LoC,Depth\n", None, "0 instances"),
        (b"instance_id,LoC,Depth\n\xff,1,2\n", None, "not UTF-8"),
    ],
)
def test_a_damaged_file_is_refused_by_line(read, content, line, found):
    with pytest.raises(BadInput, match=found) as error:
        read(content)
    assert error.value.path.name == "file.csv"
    assert error.value.line == line


def test_more_rows_than_instances_are_refused(read, evaluation):
    rows = "".join(f"{i},1,1\n" for i in range(evaluation.instances + 1))
    with pytest.raises(BadInput, match=f"{evaluation.instances + 1} instances"):
        read("instance_id,LoC,Depth\n" + rows)


@pytest.mark.parametrize(
    "name, run",
    [
        ("cs_qwen0_5_st_qlora", "qwen2.5-coder-0.5b/st-qlora/translation"),
        ("r-x_1.5b_mt-fft", "qwen2.5-coder-1.5b/mt-fft"),
        ("r-x_3b_mt_qlora", "qwen2.5-coder-3b/mt-qlora"),
        ("r-x_3b_cs_ct_mt-qlora", "qwen2.5-coder-3b/mt-qlora/summarization+translation"),
        ("r-x_3b_cg_cs_mt-qlora", "qwen2.5-coder-3b/mt-qlora/generation+summarization"),
        ("r-pass1_ct_1_5b_mt-qlora", "qwen2.5-coder-1.5b/mt-qlora"),
    ],
)
def test_a_file_name_tells_its_run(tmp_path, known, evaluation, name, run):
    assert run_of(tmp_path / f"{name}.csv", evaluation, known, DIALECT) == run


@pytest.mark.parametrize(
    "name, error",
    [("notes", BadInput), ("r-x_7b_mt-qlora", BadInput), ("r-x_3b_st-fft", UnknownName)],
)
def test_a_file_of_no_run_is_refused(tmp_path, known, evaluation, name, error):
    with pytest.raises(error):
        run_of(tmp_path / f"{name}.csv", evaluation, known, DIALECT)


def test_only_translations_are_numbered():
    assert DIALECT.instance_id("7", numbered=True) == "translation_7"
    assert DIALECT.instance_id("7", numbered=False) == "7"


# ---------------------------------------------------------------- the tree


@pytest.fixture
def tree(tmp_path):
    return write_upstream(tmp_path) / SCORES


def test_every_file_of_the_tree_is_read(tree, small):
    tables, files = read_all(tree, small, DIALECT)
    assert set(tables) == {("counter", "translation-cs-java"), ("exam", "generation-java")}
    assert sorted(n for _, n in files) == [1, 2, 2, 3]
    assert sorted(tables["counter", "translation-cs-java"]["run"].unique()) == [
        "qwen2.5-coder-0.5b/mt-qlora",
        "qwen2.5-coder-3b/mt-fft",
        "qwen2.5-coder-3b/mt-qlora/generation+translation",
    ]


def test_two_files_for_one_run_are_refused(tree, small):
    (tree / HERE / "r-cnt_ct_0.5b_mt_qlora.csv").write_text(GOOD)
    with pytest.raises(BadInput, match="holds already") as error:
        read_all(tree, small, DIALECT)
    assert "0_5b" in str(error.value) or "0.5b" in str(error.value)


def test_a_folder_without_files_is_refused(tree, small):
    (tree / "exam/generation/java/r-exam_3b_mt-qlora.csv").unlink()
    with pytest.raises(BadInput, match="no CSV file"):
        read_all(tree, small, DIALECT)


def test_a_file_in_a_folder_of_no_tool_is_refused(tree, small):
    (tree / "extra").mkdir()
    (tree / "extra/r-cnt_ct_3b_mt-fft.csv").write_text(GOOD)
    with pytest.raises(BadInput, match="no tool") as error:
        read_all(tree, small, DIALECT)
    assert error.value.path.parent.name == "extra"


def test_files_outputs_and_the_catalog_name_the_same_runs(known):
    """One rule names runs, for score files and for model outputs alike."""
    for outputs in DIALECT.PREDICTIONS:
        task = known.task_of(outputs.evaluation).id
        named = {run.run for run in outputs.runs}
        assert named == {r.id for r in known.of("runs", "multitask-qlora") if task in r.tasks}
        for run in outputs.runs:
            assert DIALECT.run_of_file(f"x_{run.model}_{run.method}", task) == run.run
    with pytest.raises(UnknownName, match="mt_qlora"):
        DIALECT.run_of("3b", "mt_qlorra", "generation")
