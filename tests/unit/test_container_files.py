"""The files that build and run the images keep their promises: pinned, no secrets, no root, no
network names.
"""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
TEXTS = sorted(
    [
        ROOT / "Dockerfile",
        ROOT / ".dockerignore",
        *(p for p in DOCKER.rglob("*") if p.is_file() and "__pycache__" not in p.parts),
    ]
)


def instructions(text: str) -> list[tuple[str, str]]:
    """(keyword, arguments) per instruction; comment lines dropped, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (line.split(None, 1)[0].upper(), line.split(None, 1)[1])
        for line in joined.splitlines()
        if line.strip()
    ]


STEPS = instructions(DOCKERFILE)


def last_stage() -> list[tuple[str, str]]:
    start = max(i for i, (keyword, _) in enumerate(STEPS) if keyword == "FROM")
    return STEPS[start:]


def test_the_image_runs_as_root():
    users = [value for keyword, value in last_stage() if keyword == "USER"]
    assert users, "the last stage sets no USER"
    user = users[-1].split(":")[0]
    assert user.isdigit() and int(user) > 0


def test_a_base_cannot_be_replaced_or_pinned():
    stages = {match[1] for _, value in STEPS if (match := re.search(r" AS (\S+)$", value))}
    for value in (value for keyword, value in STEPS if keyword == "FROM"):
        image = value.split()[0]
        assert image in stages or re.fullmatch(r"\$\{[A-Z_]+}", image), (
            f"FROM {image} is neither an ARG nor a stage"
        )


def test_a_default_base_floats():
    bases = [
        line.split()
        for line in (DOCKER / "base-images.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert {flavour for flavour, _, _ in bases} == {"cpu", "cuda", "dotnet"}
    for _, image, digest in bases:
        assert re.fullmatch(r"[a-z/]+:[\w.-]+", image) and not image.endswith(":latest")
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
    default = dict(
        value.split("=", 1) for keyword, value in STEPS if keyword == "ARG" and "=" in value
    )["BASE_IMAGE"]
    assert default in {f"{image}@{digest}" for _, image, digest in bases}


def test_the_build_fetches_what_nothing_verifies():
    assert not [value for keyword, value in STEPS if keyword == "ADD"]
    for keyword, value in STEPS:
        assert keyword != "RUN" or not re.search(r"\b(curl|wget|git clone)\b|https?://", value), (
            value
        )
        if keyword == "RUN" and "pip install" in value:
            assert "--require-hashes" in value


def test_a_secret_is_an_argument_and_stays_in_the_history():
    for keyword, value in STEPS:
        if keyword in ("ARG", "ENV"):
            assert not re.search(
                r"secret|token|passw|credential|proxy|index|cert|apikey", value, re.IGNORECASE
            ), value
        if keyword == "COPY":
            assert "/run/secrets" not in value
    steps = [value for keyword, value in STEPS if keyword == "RUN" and "with-secrets.sh" in value]
    assert len(steps) >= 3
    assert all(
        "--mount=type=secret,id=ca_bundle" in s and "--mount=type=secret,id=pip_conf" in s
        for s in steps
    )


def test_a_change_of_code_installs_everything_again():
    whole_source = next(
        i
        for i, (keyword, value) in enumerate(STEPS)
        if keyword == "COPY" and value.startswith(". ")
    )
    installs = [
        i
        for i, (keyword, value) in enumerate(STEPS)
        if keyword == "RUN" and "with-secrets.sh" in value
    ]
    assert max(installs) < whole_source


def test_the_image_carries_what_the_machine_has_lying_about():
    rules = [
        r
        for r in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if r and r[0] != "#"
    ]
    assert rules[0] == "*", "not a list of what may go in"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    assert not allowed & {".git", ".venv", ".env"}
    after = rules[max(i for i, r in enumerate(rules) if r.startswith("!")) + 1 :]
    assert {"data/cache", "results/regenerated", "**/__pycache__"} <= set(after)
    assert all((ROOT / name).exists() for name in allowed), "a name that is not in the repository"
    copied = {
        word
        for keyword, value in STEPS
        if keyword == "COPY" and "--from" not in value
        for word in value.split()[:-1]
    }
    assert all(word == "." or word.split("/")[0] in allowed for word in copied)


@pytest.mark.parametrize("path", sorted((DOCKER / "apt").glob("*.txt")), ids=lambda p: p.name)
def test_a_system_package_is_unpinned_or_out_of_order(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert packages and packages == sorted(set(packages))
    name = r"[a-z0-9][a-z0-9+.-]+"
    if re.fullmatch(r"# snapshot: \d{8}T\d{6}Z", lines[0]):
        assert all(re.fullmatch(name, package) for package in packages)
    else:
        assert all(re.fullmatch(rf"{name}=[0-9][\w.+~:-]*", package) for package in packages)


@pytest.mark.parametrize("group", ["core", "score"])
def test_a_pinned_list_lost_what_it_was_made_from(group):
    wanted = [
        line
        for line in (DOCKER / "apt" / f"debian-12.{group}.in")
        .read_text(encoding="utf-8")
        .splitlines()
        if line and not line.startswith("#")
    ]
    pinned = {
        line.split("=")[0]
        for line in (DOCKER / "apt" / f"debian-12.{group}.txt").read_text("utf-8").splitlines()
    }
    assert set(wanted) <= pinned
    ubuntu = set(
        (DOCKER / "apt" / f"ubuntu-24.04.{group}.txt").read_text(encoding="utf-8").splitlines()
    )
    assert set(wanted) <= ubuntu, "the two distributions' lists have drifted apart"


# Hosts of package and image registries; spelt so that this file does not name one itself.
HOSTS = re.compile(
    r"(py"
    r"pi\.|npm"
    r"js\.|debian\."
    r"org|debian\."
    r"net|ubuntu\."
    r"com|docker\."
    r"io|ghcr\."
    r"io"
    r"|nvcr\."
    r"io|mcr\.micro|quay\."
    r"io|pytorch\."
    r"org)",
    re.IGNORECASE,
)


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_registry_is_named(path):
    found = HOSTS.search(path.read_text(encoding="utf-8"))
    assert found is None, f"{path.name} names {found and found[0]}"


@pytest.fixture(scope="module")
def services() -> dict:
    return yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))["services"]


def test_a_service_gets_more_rights_than_it_needs(services):
    assert {"reproduce", "tests", "gpu"} <= set(services)
    for name, service in services.items():
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged") and not str(service["user"]).startswith("0"), name
        assert any(volume.endswith(":/out") for volume in service["volumes"]), name
        assert service["environment"]["MTPEFT_OUT"] == "/out", name


def test_reproducing_may_use_the_network(services):
    assert services["reproduce"]["network_mode"] == services["tests"]["network_mode"] == "none"
    assert services["reproduce"]["command"] == ["make", "reproduce-all"]
    assert "profiles" not in services["reproduce"]


def test_the_gpu_service_starts_without_being_asked_for_or_sees_no_gpu(services):
    assert services["gpu"]["profiles"] == ["gpu"]
    assert services["gpu"]["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == [
        "gpu"
    ]


def run(
    script: str, *arguments: str, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(DOCKER / script), *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def engine(tmp_path) -> Path:
    """A folder with a buildah that works and prints what it is asked; nothing else can build."""
    program = tmp_path / "bin" / "buildah"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$1" = info ] || for a in "$@"; do echo "[$a]"; done\n')
    program.chmod(0o755)
    return program.parent


def test_an_engine_that_is_installed_but_does_not_work_is_chosen(engine):
    docker = engine / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    path = f"{engine}:/usr/bin:/bin"
    assert run("engine.sh", PATH=path, MTPEFT_ENGINE="docker buildah").stdout == "buildah\n"
    failed = run("engine.sh", PATH=path, MTPEFT_ENGINE="docker nothing-of-the-kind")
    assert failed.returncode == 2
    assert "docker: installed, does not work" in failed.stderr and "to fix:" in failed.stderr


def test_the_build_is_lent_a_file_that_is_not_there_or_loses_its_arguments(engine, tmp_path):
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("x")
    lent = {
        "PATH": f"{engine}:/usr/bin:/bin",
        "MTPEFT_ENGINE": "buildah",
        "HOME": str(tmp_path),
        "MTPEFT_CA_BUNDLE": str(tmp_path / "absent"),
        "PIP_CERT": str(bundle),
        "MTPEFT_GROUPS": "",
        "PIP_FIND_LINKS": str(tmp_path / "absent"),
        "MTPEFT_WHEELS": "",
    }
    done = run("build.sh", "cpu", "x:y", **lent)
    assert done.returncode == 0, done.stderr
    words = done.stdout.splitlines()
    assert f"[id=ca_bundle,src={bundle}]" in words
    assert not [word for word in words if "absent" in word or "apt_sources" in word]
    assert {"[MTPEFT_GROUPS=]", "[MTPEFT_TORCH=cpu]", "[x:y]"} <= set(words)
    assert any(word.startswith("[BASE_IMAGE=debian:12") for word in words)


def test_results_that_cannot_be_written_are_noticed_at_the_end_only(tmp_path):
    done = run(
        "entrypoint.sh", "echo", "started", MTPEFT_OUT=str(tmp_path / "absent"), VENV=str(tmp_path)
    )
    assert done.returncode == 2 and "started" not in done.stdout and "to fix:" in done.stderr


def test_a_mounted_source_with_other_locks_runs_in_the_wrong_environment(tmp_path):
    (tmp_path / "docker" / "locks").mkdir(parents=True)
    lock = tmp_path / "docker" / "locks" / "core.txt"
    lock.write_text("as installed\n")
    (tmp_path / "docker" / "setup").mkdir()
    sums = subprocess.run(
        ["sha256sum", "docker/locks/core.txt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    (tmp_path / "locks.sha256").write_text(sums.stdout)
    stamp = tmp_path / ".core"
    stamp.touch()
    os.utime(stamp, (1, 1))
    fits = run(
        "entrypoint.sh",
        "echo",
        "started",
        cwd=tmp_path,
        MTPEFT_OUT=str(tmp_path),
        VENV=str(tmp_path),
    )
    assert (fits.returncode, fits.stdout) == (0, "started\n"), fits.stderr
    assert stamp.stat().st_mtime > lock.stat().st_mtime, "make would install again"
    lock.write_text("changed since\n")
    refused = run(
        "entrypoint.sh",
        "echo",
        "started",
        cwd=tmp_path,
        MTPEFT_OUT=str(tmp_path),
        VENV=str(tmp_path),
    )
    assert refused.returncode == 2 and "locks" in refused.stderr and not refused.stdout


@pytest.fixture(scope="module")
def sbom() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sbom", DOCKER / "sbom.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bill_lists_removed_packages_or_mangles_versions(sbom):
    listing = "r-base-core\t4.2.2.20221110-2\tamd64\tinstalled\ngone\t1\tall\tconfig-files\ng++\t4:12\tamd64\tinstalled\n"
    components = list(sbom.debian_components(listing, {"ID": "debian", "VERSION_ID": "12"}))
    assert [(c.name, c.version) for c in components] == [
        ("r-base-core", "4.2.2.20221110-2"),
        ("g++", "4:12"),
    ]
    assert (
        components[0].purl.to_string()
        == "pkg:deb/debian/r-base-core@4.2.2.20221110-2?arch=amd64&distro=debian-12"
    )


def test_the_bill_claims_that_a_part_of_r_is_a_package_of_its_own(sbom):
    listing = '"Package","Version","Priority","LibPath","License"\n"stats","4.2.2","base","/l","Part of R"\n"boot","1.3-28","","/l","Unlimited"\n'
    stats, boot = sbom.r_components(listing)
    assert stats.purl is None and boot.purl.to_string() == "pkg:cran/boot@1.3-28"
    assert stats.bom_ref.value != boot.bom_ref.value
    assert [licence.name for licence in boot.licenses] == ["Unlimited"]


def test_the_bill_leaves_out_a_tool_that_made_a_number_or_its_licence(sbom, tmp_path, monkeypatch):
    tools = {(c.name, c.version): [x.name for x in c.licenses] for c in sbom.tool_components()}
    assert tools["pmd", "7.6.0"] == ["BSD-4-Clause"] and tools["roslyn", "4.8.0"] == ["MIT"]
    assert {name for name, _ in tools} == {
        *("checkstyle", "lizard", "pmd", "pylint", "roslyn", "wordnet")
    }
    assert all(tools.values())
    monkeypatch.setattr(sbom, "DOCUMENTS", tmp_path)
    for name, text in {
        "fields": "Format: x\nLicense: MIT\n text\n\nLicense: GPL-2+\nLicense: MIT\n",
        "prose": "GPL, see `/usr/share/common-licenses/GPL-2'.\n",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "copyright").write_text(text)
    found = [sbom.debian_licence(name) for name in ("fields", "prose", "absent")]
    assert found == ["GPL-2+, MIT", "GPL-2", ""]


def test_the_bill_needs_a_package_that_no_lock_pins():
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(ast.parse((DOCKER / "sbom.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {
        node.module.split(".")[0]
        for node in ast.walk(ast.parse((DOCKER / "sbom.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    locks = {"cyclonedx": "cyclonedx-python-lib", "packageurl": "packageurl-python"}
    outside = names - set(sys.stdlib_module_names)  # the stage that runs it has no code of ours
    assert outside == set(locks)
    lock = (DOCKER / "locks" / "dev.txt").read_text(encoding="utf-8")
    assert all(f"\n{locks[name]}==" in lock for name in outside)


def test_a_group_is_installed_again_where_its_lock_says_something_else_and_not_by_date(tmp_path):
    tree, venv = tmp_path / "tree", tmp_path / "venv"
    for name in ("docker/setup/group.sh", "docker/locks/score.txt"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    (venv / "bin").mkdir(parents=True)
    (venv / "lib").mkdir()
    program = f"""#!/bin/sh
[ "$1" = -m ] || {{ cat >/dev/null; exit 0; }}
echo "$@" >>{tmp_path}/pip
"""
    (venv / "bin" / "python").write_text(program)
    (venv / "bin" / "python").chmod(0o755)
    lock = tree / "docker" / "locks" / "score.txt"
    installed = []
    for change in (lambda: None, lock.touch, lambda: lock.write_text("# other\n")):
        change()
        subprocess.run(["bash", str(tree / "docker/setup/group.sh"), venv, "score"], check=True)
        installed.append(len((tmp_path / "pip").read_text().splitlines()))
    assert installed == [1, 1, 2]
