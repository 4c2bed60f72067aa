"""The report of the real archive in a headless browser: phone and desktop, without scripts, in
print.

The pages under test are copies with a measuring script appended. What a page tried to load, with or without success, is in the browser's own list of resources.
"""

import base64
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

pytestmark = pytest.mark.recipe

BROWSER = next(
    (
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name))
    ),
    None,
)
PHONE, DESKTOP = 390, 1280
MEASURE = """
<script>
addEventListener("load", () => {
  const wide = [...document.querySelectorAll("body *")].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width > 2 && box.right > innerWidth + 1 && !e.closest(".scroll") && getComputedStyle(e).position !== "absolute";
  }).map(e => e.tagName + "." + e.className + "#" + e.id);
  const luminance = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const parse = c => { const n = c.match(/[\\d.]+/g).map(Number); return n.length < 4 || n[3] === 1 ? n.slice(0, 3) : null; };
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!/rgba\\(.*, 0(\\.\\d+)?\\)/.test(c)) return parse(c); } return [255, 255, 255]; };
  const pale = [...document.querySelectorAll("p, li, td, th, h1, h2, h3, h4, dt, dd, b, summary, .badge, .printed, .tally span")]
    .filter(e => e.getClientRects().length && e.textContent.trim() && !e.closest(".bar")).map(e => {
      const [a, b] = [luminance(parse(getComputedStyle(e).color) || [0, 0, 0]), luminance(behind(e))].sort((x, y) => y - x);
      return [(a + .05) / (b + .05), e]; })
    .filter(([ratio]) => ratio < 4.5)
    .map(([ratio, e]) => ratio.toFixed(2) + " " + e.className + " " + e.textContent.slice(0, 30));
  const boxes = [...document.querySelectorAll(".scroll")].filter(e => e.getClientRects().length);
  document.body.innerHTML = "<pre id=facts>" + JSON.stringify({
    inner: innerWidth, page: document.documentElement.scrollWidth, wide: wide.slice(0, 10), pale: pale.slice(0, 10),
    boxes: boxes.length, scrolling: boxes.filter(e => e.scrollWidth > e.clientWidth + 1).length,
    small: [...document.querySelectorAll("p, td, li, summary")].filter(e => e.getClientRects().length &&
      parseFloat(getComputedStyle(e).fontSize) < 11).length,
    images: [...document.images].every(i => i.complete && i.naturalWidth > 0), figures: document.images.length,
    loaded: performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith("data:")),
    headings: [...document.querySelectorAll("h1, h2")].map(e => e.textContent)}).replace(/</g, "&lt;") + "</pre>";
});
</script>
"""
FRAME = """<!doctype html>
<meta charset="utf-8">
<body style="margin:0"><iframe id="f" style="border:0;width:WIDTHpx;height:900px"></iframe>
<script>
f.srcdoc = new TextDecoder().decode(Uint8Array.from(atob("PAGE"), c => c.charCodeAt(0)));
f.onload = () => setTimeout(() => { document.body.innerHTML = f.contentDocument.getElementById("facts").outerHTML; }, 500);
</script>
"""


def browse(tmp: Path, *arguments: str) -> str:
    """Run the browser on its own profile, off line, and return what it prints."""
    if BROWSER is None:
        pytest.skip(
            "no Chromium here: apt-get install chromium (these tests look at the report in a browser)"
        )
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-sync",
        "--no-first-run",
        "--hide-scrollbars",
        "--force-device-scale-factor=1",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={tmp / 'profile'}",
        "--virtual-time-budget=10000",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def report(root, tmp_path_factory) -> Path:
    """The report of the real archive, made by the commands that a user runs."""
    out = tmp_path_factory.mktemp("out")
    environment = {
        **os.environ,
        "MTPEFT_OUT": str(out),
        "PYTHONPATH": str(root / "code"),
        "MPLBACKEND": "Agg",
        "PYTHONHASHSEED": "0",
        "RPY2_CFFI_MODE": "ABI",
    }
    for command in (
        "check-files",
        "statistics",
        "audit",
        "verify --quiet",
        "tables",
        "figures",
        "report",
    ):
        done = subprocess.run(
            [sys.executable, "-m", "mtpeft", *command.split()],
            env=environment,
            cwd=root,
            capture_output=True,
            text=True,
        )
        assert done.returncode in ((0, 1) if "verify" in command else (0,)), (
            f"{command}: {done.stderr}"
        )
    return out / "report" / "index.html"


@pytest.fixture(scope="module")
def facts(report, tmp_path_factory):
    """Measurements of the page at a width, folded or with everything unfolded."""
    cache: dict[tuple[int, bool], dict] = {}

    def measure(width: int, unfolded: bool = False) -> dict:
        if (width, unfolded) not in cache:
            tmp = tmp_path_factory.mktemp("browser")
            page = report.read_text(encoding="utf-8")
            if unfolded:
                page = page.replace("<details", "<details open")
            # A headless window cannot be narrower than 500 pixels: the page is laid out inside a
            # frame of the wanted width.
            inner = base64.b64encode(page.replace("</body>", MEASURE + "</body>").encode()).decode()
            frame = tmp / "frame.html"
            frame.write_text(
                FRAME.replace("WIDTH", str(width)).replace("PAGE", inner), encoding="utf-8"
            )
            dom = browse(tmp, f"--window-size={max(width, 500)},900", "--dump-dom", frame.as_uri())
            found = re.search(r'<pre id="facts">(.*?)</pre>', dom, re.DOTALL)
            assert found, dom[-2000:]
            cache[width, unfolded] = json.loads(unescape(unescape(found.group(1))))
        return cache[width, unfolded]

    return measure


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("unfolded", [False, True], ids=["folded", "unfolded"])
def test_the_page_is_never_wider_than_the_window(facts, width, unfolded):
    found = facts(width, unfolded)
    assert found["inner"] == width
    assert found["wide"] == []
    assert found["page"] <= width


def test_wide_tables_scroll_inside_their_own_box_on_a_phone(facts):
    assert facts(PHONE, True)["scrolling"] >= 15


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_text_is_large_and_dark_enough_to_read(facts, width):
    found = facts(width, True)
    assert found["pale"] == []
    assert found["small"] == 0


def test_figures_are_drawn_without_any_other_file(facts):
    found = facts(DESKTOP)
    assert found["figures"] >= 5
    assert found["images"]


def test_the_answer_is_on_the_first_screen_and_parts_are_in_reading_order(facts):
    headings = facts(DESKTOP)["headings"]
    assert re.match(r"\d+ of \d+ claims hold", headings[0]), headings[0]
    order = ["Claims", "Values in numbers", "What differs, and why", "Tables"]
    places = [headings.index(name) for name in order]
    assert places == sorted(places)


def test_nothing_is_loaded_from_anywhere(facts):
    assert facts(DESKTOP, True)["loaded"] == []


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_screenshot_is_not_blank(report, tmp_path, width):
    picture = tmp_path / "page.png"
    browse(tmp_path, f"--window-size={width},1600", f"--screenshot={picture}", report.as_uri())
    data = picture.read_bytes()
    assert struct.unpack(">II", data[16:24]) == (width, 1600)
    assert len(data) > 40_000


def test_print_is_a_summary_of_four_pages(report, tmp_path):
    paper = tmp_path / "report.pdf"
    browse(tmp_path, f"--print-to-pdf={paper}", "--no-pdf-header-footer", report.as_uri())
    pages = len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes()))
    assert 2 <= pages <= 4, pages


FILTER = """
<script>
addEventListener("load", () => {
  const form = document.getElementById("filter"), verdict = document.getElementById("filter-verdict");
  const rows = () => [...document.querySelectorAll("#printed details.values tbody tr")].filter(row => !row.hidden).length;
  const facts = {form: !form.hidden, all: rows()};
  verdict.value = "differs"; verdict.dispatchEvent(new Event("change"));
  facts.differs = rows();
  facts.said = document.getElementById("filter-count").textContent;
  document.body.innerHTML = "<pre id=facts>" + JSON.stringify(facts) + "</pre>";
});
</script>
"""


def test_the_filter_shows_what_differs_and_nothing_else(report, tmp_path):
    copy = tmp_path / "page.html"
    copy.write_text(report.read_text("utf-8").replace("</body>", FILTER + "</body>"), "utf-8")
    dom = browse(tmp_path, "--dump-dom", copy.as_uri())
    found = json.loads(unescape(re.search(r'<pre id="facts">(.*?)</pre>', dom).group(1)))
    counts = json.loads((report.parent / "verdict.json").read_text("utf-8"))["counts"]["cell"]
    assert found["form"]
    assert found["all"] == sum(counts.values())
    assert found["differs"] == counts["differs"]
    assert found["said"] == f"{counts['differs']} values"


def test_the_page_is_small_enough_to_send(report):
    assert report.stat().st_size < 6_000_000
