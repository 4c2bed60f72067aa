"""The bill of materials of this machine is valid CycloneDX and names what the results depend on."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "docker" / "sbom.py"


@pytest.fixture(scope="module")
def bill(tmp_path_factory) -> dict:
    path = tmp_path_factory.mktemp("sbom") / "folder" / "sbom.cdx.json"
    done = subprocess.run([sys.executable, str(SCRIPT), str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_layer_of_the_software_is_left_out(bill):
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "mtpeft"
    found = {component["name"]: component for component in bill["components"]}
    assert found["rpy2"]["purl"].startswith("pkg:pypi/rpy2@")
    assert found["stats"]["group"] == "R"
    r_version = found["stats"]["version"]
    assert found["r-base-core"]["version"].startswith(r_version)


def test_the_bill_says_where_this_machine_gets_its_packages(bill):
    text = json.dumps(bill)
    assert "file://" not in text and "/simple/" not in text


def test_an_invalid_bill_is_written_all_the_same(monkeypatch):
    spec = importlib.util.spec_from_file_location("sbom", SCRIPT)
    sbom = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sbom)
    monkeypatch.setattr(
        sbom.JsonV1Dot6, "output_as_string", lambda self, indent: '{"bomFormat": "something else"}'
    )
    with pytest.raises(ValueError, match="CycloneDX 1.6"):
        sbom.serialize(sbom.Bom())
