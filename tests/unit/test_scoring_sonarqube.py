"""Measures of SonarQube's web API must become scores, page by page, and nothing else may pass for
them.

The answers have the documented shape of api/measures/component_tree and api/metrics/search; they
come from a real HTTP server in this process.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pytest
import yaml
from mtpeft.core.errors import BadInput, Unavailable
from mtpeft.core.http import Clock
from mtpeft.scoring.interface import Item
from mtpeft.scoring.sonar import sonarqube

RUN = "qwen2.5-coder-3b/mt-qlora/generation+summarization"


def component(instance, evaluation="generation-java", run=RUN, **measures):
    path = f"src/{evaluation}/{sonarqube.run_folder(run)}/{instance}/Output.java"
    return {
        "key": f"mtpeft:{path}",
        "name": f"{instance}.java",
        "qualifier": "FIL",
        "path": path,
        "language": "java",
        "measures": [
            {"metric": m, "value": str(v), "bestValue": False} for m, v in measures.items()
        ],
    }


def page(*components, total=None, number=1):
    return {
        "paging": {
            "pageIndex": number,
            "pageSize": 500,
            "total": total if total is not None else len(components),
        },
        "baseComponent": {"key": "mtpeft", "name": "mtpeft", "qualifier": "TRK", "measures": []},
        "components": components,
    }


READ = {
    "ncloc": 13,
    "complexity": 5,
    "cognitive_complexity": 4,
    "bugs": 1,
    "code_smells": 5,
    "security_hotspots": 0,
}


def test_measures_become_the_studys_metrics(known):
    table = sonarqube.scores([page(component("a", **READ))])["generation-java"]
    assert list(table.columns[4:]) == [m.id for m in known.tools["sonarcloud"].metrics]
    assert table.iloc[0].to_list() == [RUN, 1, "a", "ok", 13, 0, 1, 5, 5, 4]


def test_the_newer_names_of_the_issue_counts_win():
    both = READ | {
        "software_quality_reliability_issues": 2,
        "software_quality_maintainability_issues": 7,
    }
    table = sonarqube.scores([page(component("a", **both))])["generation-java"]
    assert (table["sonar_reliability"][0], table["sonar_maintainability"][0]) == (2, 7)


@pytest.mark.parametrize("measures", [{}, {"ncloc": 0, "complexity": 0}])
def test_a_file_that_was_not_parsed_has_a_status_and_no_zero(measures):
    table = sonarqube.scores([page(component("a", **measures))])["generation-java"]
    assert table["status"][0] == "unparseable" and table.iloc[0, 4:].isna().all()


def test_pages_are_joined_in_canonical_order():
    pages = [
        page(component("translation_10", "translation-cs-java", **READ), component("b", **READ)),
        page(component("translation_9", "translation-cs-java", **READ)),
    ]
    tables = sonarqube.scores(pages)
    assert list(tables) == ["generation-java", "translation-cs-java"]
    assert list(tables["translation-cs-java"]["instance_id"]) == ["translation_9", "translation_10"]
    assert list(tables["translation-cs-java"]["row"]) == [1, 2]


@pytest.mark.parametrize(
    ("components", "named"),
    [
        ([component("a", **READ), component("a", **READ)], "again"),
        ([component("a", evaluation="no-such-set", **READ)], "no-such-set"),
        ([{"path": "pom.xml", "measures": []}], "pom.xml"),
        ([component("a", ncloc="many")], "unreadable measure"),
    ],
)
def test_what_is_not_as_documented_is_refused_by_name(components, named):
    with pytest.raises(BadInput, match=named):
        sonarqube.scores([page(*components)])


IMPATIENT = Clock(sleep=lambda seconds: None)


class Service(BaseHTTPRequestHandler):
    pages, status, body, asked = [], 200, None, []

    def do_GET(self):
        url = urlparse(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        type(self).asked.append((url.path, query, self.headers.get("Authorization")))
        if self.body is not None:
            data = self.body
        elif url.path == "/api/metrics/search":
            known = [
                "ncloc",
                "complexity",
                "cognitive_complexity",
                "bugs",
                "code_smells",
                "security_hotspots",
            ]
            data = json.dumps(
                {"metrics": [{"key": k} for k in known], "total": len(known), "p": 1, "ps": 500}
            ).encode()
        else:
            data = json.dumps(self.pages[int(query["p"]) - 1]).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    """A server that answers as told: `service(pages, status, body)` → its address and what it was
    asked.
    """
    servers = []

    def start(pages=(), status=200, body=None):
        handler = type(
            "Told", (Service,), {"pages": list(pages), "status": status, "body": body, "asked": []}
        )
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", handler.asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_every_page_is_fetched_and_only_known_measures_are_asked_for(service, tmp_path):
    base, asked = service(
        [page(component("a", **READ), total=501), page(component("b", **READ), total=501, number=2)]
    )
    paths = sonarqube.write(base, "mtpeft", "secret-token", tmp_path)
    assert [p.relative_to(tmp_path).as_posix() for p in paths] == [
        "scores/sonarqube-own/generation-java.csv"
    ]
    assert paths[0].read_text().count("\n") == 3
    assert "secret-token" not in "".join(p.read_text() for p in tmp_path.rglob("*.*"))
    tree = [q for path, q, _ in asked if path.endswith("component_tree")]
    assert [q["p"] for q in tree] == ["1", "2"]
    assert set(tree[0]["metricKeys"].split(",")) == {
        "ncloc",
        "complexity",
        "cognitive_complexity",
        "bugs",
        "code_smells",
        "security_hotspots",
    }
    assert {token for _, _, token in asked} == {"Bearer secret-token"}


@pytest.mark.parametrize(("status", "fix"), [(401, "SONAR_TOKEN"), (404, ""), (500, "")])
def test_a_refusal_is_unavailable_with_its_status(service, status, fix):
    base, _ = service(status=status, body=b"{}")
    with pytest.raises(Unavailable, match=str(status)) as error:
        sonarqube.fetch(base, "mtpeft", clock=IMPATIENT)
    assert fix in str(error.value)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"metrics": 1}', b"\xff"])
def test_garbage_is_bad_input(service, body):
    base, _ = service(body=body)
    with pytest.raises(BadInput):
        sonarqube.fetch(base, "mtpeft", clock=IMPATIENT)


def test_a_service_that_announces_ever_more_files_is_not_asked_for_ever(service):
    empty = page(total=10_000_000)
    base, asked = service([page(component("a", **READ), total=10_000_000), *[empty] * 50])
    with pytest.raises(BadInput, match="page 2 is empty"):
        sonarqube.fetch(base, "mtpeft", clock=IMPATIENT)
    assert len(asked) == 3


def test_nobody_there_is_unavailable():
    with pytest.raises(Unavailable, match="cannot be reached"):
        sonarqube.fetch("http://127.0.0.1:9", "mtpeft", clock=IMPATIENT)


def test_an_exported_project_has_every_output_where_the_import_looks(tmp_path):
    items = [
        Item(RUN, "generation-java", "abc", "java", "int f() { return 1; }"),
        Item("a/b", "generation-python", "def", "python", "x = 1\n"),
    ]
    assert sonarqube.export(tmp_path, items) == 2
    files = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {
        "sonar-project.properties",
        "src/generation-python/a~b/def/output.py",
        f"src/generation-java/{RUN.replace('/', '~')}/abc/Output.java",
    }
    assert sonarqube.run_of_folder(sonarqube.run_folder(RUN)) == RUN
    assert "public class Output {" in next(tmp_path.rglob("abc/*.java")).read_text()


def test_the_server_of_the_compose_file_is_named_by_digest(root):
    services = yaml.safe_load((root / "docker" / "sonarqube-compose.yaml").read_text())["services"]
    assert "@sha256:" in services["sonarqube"]["image"]
    assert services["sonarqube"]["ports"] == ["127.0.0.1:9000:9000"]


def test_the_catalogs_entry_never_gives_a_score():
    with pytest.raises(Unavailable, match="a service"):
        sonarqube.scorer().version()
