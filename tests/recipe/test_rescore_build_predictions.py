"""The builder must make the canonical bytes from git, and nothing at all from anything else."""

import gzip
import hashlib
import json
import os
import subprocess
from dataclasses import replace

import pytest
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.scoring import build_predictions, predictions
from mtpeft.scoring.build_predictions import build
from mtpeft.scoring.predictions import read_archived_file, sets
from mtpeft.scoring.wrapping import CLASS, framed

# The runs on all three tasks or on one, as the study's own set has them.
WHOLE = sets()["translation-cs-java"]
TARGET = replace(
    WHOLE,
    repository="someone/outputs",
    commit="",
    runs=tuple(r for r in WHOLE.runs if r.method.count("_") == 1),
    rows=18,
    sha256="",
)


def git(folder, *arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {
        "GIT_AUTHOR_DATE": "2025-01-01T00:00:00Z",
        "GIT_COMMITTER_DATE": "2025-01-01T00:00:00Z",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    return done.stdout.strip()


def repository(folder, files):
    """A git repository with one commit of `files`; → (folder, commit)."""
    folder.mkdir()
    git(folder, "init", "--quiet")
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "outputs")
    return folder, git(folder, "rev-parse", "HEAD")


def outputs(target, ids=(0, 10)):
    return {
        f"{run.folder}/translation_{n}.java": framed(
            f"int f() {{ return {n}; }} // {run.model} {run.method} \u00e4",
            CLASS,
            f"Translation{n}",
        ).encode()
        for run in target.runs
        for n in ids
    }


def expected(target, files):
    lines = []
    for run in target.runs:
        folder = run.folder
        for name in sorted(
            (f for f in files if f.startswith(folder + "/") and f.endswith(".java")),
            key=lambda f: int(f.rsplit("_", 1)[1][:-5]),
        ):
            lines.append(
                json.dumps(
                    {
                        "task_id": name.rsplit("/", 1)[1][:-5],
                        "model": run.model,
                        "method": run.method,
                        "language": "java",
                        "code": files[name].decode(),
                        "source": f"{target.repository}@{target.commit}:{name}",
                    },
                    ensure_ascii=False,
                )
            )
    return ("\n".join(lines) + "\n").encode()


@pytest.fixture
def made(tmp_path):
    """A repository with all runs and things that do not belong to them; the set that it should
    give; its bytes.
    """
    files = outputs(TARGET)
    extra = {
        "ct_codellama7_mt_qlora/translation_0.java": b"another model",
        "README.md": b"read me",
        "ct_qwen3_mt_fft/notes.txt": b"no output",
        ".github/workflows/build.yml": b"x",
    }
    folder, commit = repository(tmp_path / "upstream", files | extra)
    target = replace(TARGET, commit=commit)
    data = expected(target, files)
    return folder, replace(target, sha256=hashlib.sha256(data).hexdigest()), data


def test_the_canonical_bytes_come_out_of_git(made, tmp_path):
    folder, target, data = made
    path = build(target, str(folder), tmp_path / "out")
    assert gzip.decompress(path.read_bytes()) == data
    again = build(target, str(folder), tmp_path / "again")
    assert again.read_bytes() == path.read_bytes(), (
        "equal content must be equal bytes, compressed too"
    )


def test_what_was_built_is_what_the_reader_reads(made, tmp_path):
    folder, target, _ = made
    path = build(target, str(folder), tmp_path / "out")
    got = read_archived_file(path, target)
    assert (
        not got.problems
        and len(got.items) == 18
        and {i.instance_id for i in got.items} == {"translation_0", "translation_10"}
    )
    assert got.items[0].output.startswith("int f() { return 0; }")


def test_another_content_than_the_pinned_one_is_refused_and_not_written(made, tmp_path):
    folder, target, _ = made
    with pytest.raises(MtpeftError, match="has SHA-256"):
        build(replace(target, sha256="0" * 64), str(folder), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_commit_without_one_of_the_runs_is_refused(tmp_path):
    files = {n: d for n, d in outputs(TARGET).items() if not n.startswith("ct_qwen1_5_mt_fft/")}
    folder, commit = repository(tmp_path / "upstream", files)
    with pytest.raises(MtpeftError, match=r"ct_qwen1_5_mt_fft/\*\.java"):
        build(replace(TARGET, commit=commit), str(folder), tmp_path / "out")


def test_too_few_outputs_are_refused(tmp_path):
    files = outputs(TARGET)
    files.pop("ct_qwen3_mt_fft/translation_10.java")
    folder, commit = repository(tmp_path / "upstream", files)
    with pytest.raises(MtpeftError, match="17 outputs"):
        build(replace(TARGET, commit=commit), str(folder), tmp_path / "out")


def test_a_blob_whose_content_is_not_its_name_is_refused(made, tmp_path, monkeypatch):
    folder, target, _ = made
    real = build_predictions.git

    def tampering(clone, *arguments, **more):
        answer = real(clone, *arguments, **more)
        return answer.replace(b"return 10", b"return 99") if arguments[0] == "cat-file" else answer

    monkeypatch.setattr(build_predictions, "git", tampering)
    with pytest.raises(MtpeftError, match="content hashes to"):
        build(target, str(folder), tmp_path / "out")


def test_invalid_utf8_is_named_by_file(tmp_path):
    files = outputs(TARGET)
    files["ct_qwen3_mt_fft/translation_10.java"] = b"\xff\xfe"
    folder, commit = repository(tmp_path / "upstream", files)
    with pytest.raises(MtpeftError, match="ct_qwen3_mt_fft/translation_10.java: invalid UTF-8"):
        build(replace(TARGET, commit=commit), str(folder), tmp_path / "out")


def test_an_unreachable_repository_is_unavailable(made, tmp_path):
    _, target, _ = made
    with pytest.raises(Unavailable, match="cannot be fetched"):
        build(target, str(tmp_path / "nowhere"), tmp_path / "out")


@pytest.mark.parametrize("name", sorted(sets()))
def test_the_archives_own_outputs_give_the_archives_own_bytes(name, mirror, tmp_path):
    target = sets()[name]
    data = predictions.content(mirror / "derived" / "predictions" / f"{name}.jsonl.gz")
    assert hashlib.sha256(data).hexdigest() == target.sha256
    files = {}
    for line in data.decode().splitlines():
        record = json.loads(line)
        files[record["source"].partition(":")[2]] = record["code"].encode()
    folder, commit = repository(tmp_path / "upstream", files)
    # Upstream's commit cannot be made again; with it in the place of ours the bytes must be the
    # pinned ones.
    own = replace(
        target,
        commit=commit,
        sha256=hashlib.sha256(data.replace(target.commit.encode(), commit.encode())).hexdigest(),
    )
    built = gzip.decompress(build(own, str(folder), tmp_path / "out").read_bytes())
    assert built.replace(commit.encode(), target.commit.encode()) == data
