"""Comparisons of a catalog whose instances belong to projects."""

import math
from dataclasses import replace

import numpy as np
import pytest
from mtpeft.catalog import Study, load
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.statistics.clusters import numbered, read_clusters
from mtpeft.statistics.compare import run_comparison
from mtpeft.statistics.r_session import call
from small_study import write_study


@pytest.fixture
def clustered(study, scores, tmp_path):
    """(catalog, comparison) of the synthetic study with its instances in twelve projects."""
    ids = sorted({i for frame in scores.tables.values() for i in frame["instance_id"]})
    rows = [f"{name},project {n % 12}" for n, name in enumerate(ids)]
    (tmp_path / "projects.csv").write_text("\n".join(["instance_id,cluster", *rows]) + "\n")
    comparison = replace(study.comparisons["effects"], cluster="projects.csv")
    own = replace(study, studies={comparison.study: Study(comparison.study, tmp_path, "t")})
    return own, comparison


def test_clusters_change_the_corrected_tests_and_never_the_published_ones(
    clustered, study, scores, tmp_path
):
    known, comparison = clustered
    plain = study.comparisons["effects"]
    published = [
        run_comparison(scores, which, catalog, "as-published")
        for which, catalog in ((comparison, known), (plain, study))
    ]
    assert repr(published[0]) == repr(published[1])
    (block, metric) = (comparison.blocks[0], comparison.metrics[0])
    found, other = (
        next(
            t
            for t in run_comparison(scores, which, catalog, "corrected")
            if (t.block, t.metric) == (block.id, metric)
        )
        for which, catalog in ((comparison, known), (plain, study))
    )
    assert (found.pairing, other.pairing) == ("id, in 12 clusters", "id")
    assert (found.n_pairs, found.rank_biserial) == (other.n_pairs, other.rank_biserial)
    a, b = (scores.column(run, "code-x", metric) for run in (block.a, block.b))
    names = [i for i in a.ids if i in set(b.ids) and i not in set(found.dropped_ids.split())]
    of = numbered(read_clusters(tmp_path / "projects.csv"), names)
    x, y = (np.array([dict(zip(s.ids, s.value, strict=True))[i] for i in names]) for s in (a, b))
    assert found.p == call("signed_rank", x, y, of)[1] != other.p
    wanted = call("rank_biserial", x, y, of)
    assert [found.rank_biserial_low, found.rank_biserial_high] == list(wanted[1:])
    assert not math.isnan(found.rank_biserial_low)


def test_clusters_are_numbered_from_1_in_order_of_appearance():
    of = {"a": "ant", "b": "lucene", "c": "ant"}
    assert list(numbered(of, ["b", "a", "c", "b"])) == [1, 2, 2, 1]


def test_an_instance_without_a_cluster_is_refused_by_name(clustered, scores, tmp_path):
    known, comparison = clustered
    path = tmp_path / "projects.csv"
    head, _, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *rows]) + "\n")
    read_clusters.cache_clear()
    with pytest.raises(MtpeftError, match="without a cluster"):
        run_comparison(scores, comparison, known, "corrected")


def test_a_file_of_clusters_that_is_not_there_is_refused_when_the_catalog_is_read(tmp_path):
    write_study(tmp_path)
    (path,) = tmp_path.rglob("comparisons/quality.yaml")
    path.write_text(path.read_text() + "cluster: projects.csv\n")
    with pytest.raises(BadInput, match=r"quality.yaml.*projects.csv"):
        load([path.parents[1]])
    (path.parents[1] / "projects.csv").write_text("instance_id,cluster\nw1,a\n")
    assert load([path.parents[1]]).comparisons["quality"].cluster == "projects.csv"
