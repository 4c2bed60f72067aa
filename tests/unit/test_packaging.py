"""What is pinned has its value, fits every Python that the README names, and survives a lost bit."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
# As public projects that use these wheels and images name them.
CPU_WHEELS = {
    "3.11": "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
    "3.12": "4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2",
    "3.13": "3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6",
}
DIGESTS = {
    "cpu": "2c037a04925515fdd6ea85ea14a682d0e79931f5e9f5d07b6dbfc6ba12f9e858",
    "cuda": "c3fde347d52d578c84fd644bc177bc7ec333feaf11550d990da4084d7612e4c7",
    "dotnet": "78235e09001f52b6592c458ac010775ebac6725422e80cd0c1650590f67b2743",
}
REVISIONS = {
    "unixcoder-base": "5604afdc964f6c53782a6813140ade5216b99006",
    "deepseek-coder-1.3b": "c919139c3a9b4070729c8b2cca4847ab29ca8d94",
    "modernbert-base": "8949b909ec900327062f0ebf497f51aef5e6f0c8",
    "qwen2.5-coder-0.5b": "ea3f2471cf1b1f0db85067f1ef93848e38e88c25",
    "qwen2.5-coder-1.5b": "2e1fd397ee46e1388853d2af2c993145b0f1098a",
    "qwen2.5-coder-1.5b-base": "df3ce67c0e24480f20468b6ef2894622d69eb73b",
    "qwen2.5-coder-3b": "488639f1ff808d1d3d0ba301aef8c11461451ec5",
}


@pytest.mark.parametrize("python", CPU_WHEELS)
def test_torch_for_the_cpu_is_refused_by_a_python_that_the_readme_names(python):
    assert python.split(".")[1] in re.findall(
        r"3?\.?(1[123])\b", (ROOT / "README.md").read_text().partition("and `make`")[0]
    )
    lock = (DOCKER / "locks" / "torch-cpu.txt").read_text()
    assert CPU_WHEELS[python] in lock.partition("\ntorch==")[2]


def test_a_python_that_the_locks_do_not_fit_is_taken(tmp_path):
    program = tmp_path / "python"
    for version, code in (((3, 10), 2), ((3, 14), 2), ((3, 13), 0)):
        program.write_text(
            f'#!/bin/sh\ncase "$2" in *version_info*) exec python3 -c "import sys; '
            f'sys.version_info = {version}; ${{2#import sys; }}";; esac\n'
        )
        program.chmod(0o755)
        command = ["bash", str(DOCKER / "setup" / "venv.sh"), str(program), str(tmp_path / "venv")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == code, (version, done.stderr)


def test_a_base_image_is_pinned_by_its_tag_only():
    lines = (DOCKER / "base-images.txt").read_text().splitlines()
    found = dict(line.split()[::2] for line in lines if not line.startswith("#"))
    assert found == {flavour: f"sha256:{digest}" for flavour, digest in DIGESTS.items()}
    assert f"BASE_IMAGE=debian:12@{found['cpu']}\n" in (ROOT / "Dockerfile").read_text()
    services = yaml.safe_load((DOCKER / "sonarqube-compose.yaml").read_text())["services"]
    assert all(re.search(r"@sha256:[0-9a-f]{64}\b", s["image"]) for s in services.values())


def test_a_base_model_that_has_a_public_revision_is_taken_at_whatever_is_newest():
    from mtpeft.catalog import catalog

    found = {b.id: b.revision for b in catalog().backbones.values() if b.revision}
    assert REVISIONS.items() <= found.items()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["make", "--no-print-directory", "venv/bin/python"], "expected Python 3.11"),
        (["bash", "docker/setup/r.sh"], "R is not installed"),
        (["bash", "docker/build.sh", "cpu", "x:y"], "to fix:"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_script_is_started_by_a_bit_that_an_archive_may_not_keep(tmp_path, command, said):
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(DOCKER, tmp_path / "docker")
    for path in (tmp_path / "docker").rglob("*.sh"):
        path.chmod(0o644)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "make", "dirname", "sed", "sort", "head", "grep", "git", "cat"):
        (tools / name).symlink_to(shutil.which(name) or "")
    environment = {"PATH": str(tools), "VENV": "venv", "PYTHON": "no-python"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "Permission denied" not in done.stderr
    assert done.returncode == 2 and said in done.stderr


@pytest.fixture(scope="module")
def metadata() -> ModuleType:
    spec = importlib.util.spec_from_file_location("metadata", ROOT / "docs" / "metadata.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RECORDS = ["repro.yaml", ".adduce/manifest.yaml", ".zenodo.json", "codemeta.json", "croissant.json"]


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_for_machines_says_what_the_catalog_no_longer_says(metadata, name):
    written = (ROOT / name).read_text(encoding="utf-8")
    assert written == metadata.RECORDS[name](), "make documents"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["list", "studies"], 0, "multitask-qlora"),
        (["verify", "--help"], 0, "Usage"),
        (["verify"], 2, "MTPEFT_ROOT="),
        (["data", "translation"], 2, "MTPEFT_ROOT="),
        (["compare", "a.csv", "b.csv"], 2, "MTPEFT_ROOT="),
        (["score", "setup"], 2, "MTPEFT_ROOT="),
        (["apply", "x", "y.py"], 2, "MTPEFT_ROOT="),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_package_alone_takes_its_own_place_for_the_repository(tmp_path, words, code, said):
    site = tmp_path / "lib" / "python" / "site-packages"
    shutil.copytree(
        ROOT / "code" / "mtpeft", site / "mtpeft", ignore=shutil.ignore_patterns("__pycache__")
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MTPEFT_")}
    environment = kept | {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "mtpeft", *words]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == code and said in done.stdout + done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lib"]
    assert [p.name for p in (tmp_path / "lib" / "python").iterdir()] == ["site-packages"]


def test_files_name_different_versions():
    """One version everywhere, and it is the newest that the CHANGELOG calls released."""
    from mtpeft import __version__

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    named = {
        "pyproject.toml": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
            "version"
        ],
        "CITATION.cff": citation["version"],
        **{
            name: json.loads((ROOT / name).read_text(encoding="utf-8"))["version"]
            for name in RECORDS
            if name.endswith(".json")
        },
    }
    assert dict.fromkeys(named, __version__) == named
    headings = re.findall(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]
    assert released[0] == __version__ and headings.index(released[0]) <= 1
    numbers = [tuple(map(int, heading.split("."))) for heading in released]
    assert numbers == sorted(set(numbers), reverse=True)
    assert re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", citation["date-released"])


def test_a_version_is_tagged_that_the_files_do_not_name():
    """Every tag of a version stands on a commit whose files name that version."""
    if not (ROOT / ".git").exists():
        pytest.skip("an archive without its history has no tags")
    said = subprocess.run(
        ["git", "-C", str(ROOT), "tag", "--list", "v*"], capture_output=True, text=True, check=True
    )
    for tag in said.stdout.split():
        text = subprocess.run(
            ["git", "-C", str(ROOT), "show", f"{tag}:pyproject.toml"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert tomllib.loads(text)["project"]["version"] == tag.removeprefix("v")


def test_a_study_of_a_claim_has_no_such_file():
    record = yaml.safe_load((ROOT / ".adduce" / "manifest.yaml").read_text(encoding="utf-8"))
    for claim in record["claims"]:
        assert (ROOT / claim["produced_by"]["config"]).is_file()
        own = claim["id"].startswith("miniature-peft/")
        assert claim.get("status") == ("confirmed" if own else None), (
            "only its author confirms a claim"
        )
        if own:
            assert claim["seeds"] == [1, 2, 3]


def test_a_claim_is_missing_from_the_manifest_or_quotes_no_printed_verdict():
    from mtpeft.catalog import catalog

    record = yaml.safe_load((ROOT / "repro.yaml").read_text(encoding="utf-8"))
    shipped = [s for s in catalog().studies.values() if not s.on_demand]
    expected = {claim.id for s in shipped for claim in catalog().of("claims", s.id)}
    assert {claim["id"] for claim in record["claims"]} == expected and len(expected) == 21
    text = (ROOT / "REPRODUCE.md").read_text(encoding="utf-8")
    for claim in record["claims"]:
        assert claim["evidence"][0]["text"] in text and "**" in claim["evidence"][0]["text"]


def test_an_archived_table_is_missing_from_the_data_set_or_has_another_checksum():
    record = json.loads((ROOT / "croissant.json").read_text(encoding="utf-8"))
    listed = (ROOT / "results" / "archived" / "SHA256SUMS").read_text().split()
    sums = dict(zip(listed[1::2], listed[::2], strict=True))
    assert {f["@id"]: f["sha256"] for f in record["distribution"]} == sums
    assert len(record["recordSet"]) == len(sums) and record["license"] == "MIT"
