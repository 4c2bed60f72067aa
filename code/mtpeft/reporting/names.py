"""What things are called where people read: titles of the catalog in place of its ids."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from mtpeft.catalog import Block, Catalog, Comparison, Method, Study, Tool
from mtpeft.core.records import PublishedCell

QUANTITIES = {
    "p": "p",
    "p_adjusted": "adjusted p",
    "cliffs_delta": "Cliff's d",
    "ci_low": "lower end of the interval",
    "ci_high": "upper end of the interval",
    "magnitude": "size of the effect",
    "significant": "significant (yes/no)",
    "odds_ratio": "odds ratio",
    "a_only": "passes with A only",
    "b_only": "passes with B only",
    "both_pass": "passes with both",
    "both_fail": "passes with neither",
    "correction_label": "name of the correction",
    "input_note": "note on the inputs",
}
CORRECTIONS = {"holm": "Holm", "bh": "Benjamini–Hochberg", "BH": "Benjamini–Hochberg"}
REGIMES = {"st": "single-task", "mt": "multi-task"}
BETTER = {"higher": "↑", "lower": "↓", "neither": ""}
"""The direction in which a metric gets better."""
_SIZE = re.compile(r"(?<![\w.-])(\d+(?:\.\d+)?)b(?![\w-])")


def block_title(block: Block | str) -> str:
    """`python-0.5b` → `Python 0.5B`, `java-CG+CS` → `Java CG+CS`."""
    words = []
    for part in (block if isinstance(block, str) else block.id).split("-"):
        if re.fullmatch(r"[\d.]+b", part):
            words.append(part.upper())
        else:
            words.append(part if "+" in part else part.capitalize())
    return " ".join(words)


def inside(title: str) -> str:
    """A title as it stands inside a sentence: its first word small, unless it is a name (`LoRA`)."""
    return title[:1].lower() + title[1:] if title.split(" ", maxsplit=1)[0].istitle() else title


def subject(comparison: Comparison) -> str:
    """What a comparison is about, without its two sides."""
    return comparison.title.split(":")[0].removesuffix(", static quality")


@dataclass
class Names:
    """The titles of a catalog, by id."""

    known: Catalog

    def comparison(self, name: str) -> str:
        """Question and title of a comparison; the name itself where there is none of it."""
        found = self.known.comparisons.get(name)
        return f"{found.question}, {found.title}" if found else name

    def metric(self, name: str) -> str:
        """Title of a metric."""
        found = self.known.metrics().get(name)
        return found[1].title if found else name

    def tool(self, name: str) -> str:
        """Title of a tool."""
        return self.known.tools[name].title if name in self.known.tools else name

    def evaluation(self, name: str) -> str:
        """Title of an evaluation set."""
        found = self.known.evaluations()
        return found[name].title if name in found else name

    def task(self, name: str) -> str:
        """Title of a task."""
        return self.known.tasks[name].title if name in self.known.tasks else name

    def run(self, name: str) -> str:
        """A run as `Qwen2.5-Coder-3B, multi-task QLoRA (generation and translation)`."""
        run = self.known.runs.get(name)
        if run is None:
            return name
        method = inside(self.known.methods[run.method].title)
        most = max(len(r.tasks) for r in self.known.runs.values() if r.backbone == run.backbone)
        tasks = "" if len(run.tasks) == most else f" ({self.tasks(run.tasks)})"
        backbone = self.known.backbones[run.backbone].title
        return f"{backbone}, {REGIMES.get(run.regime, run.regime)} {method}{tasks}"

    def tasks(self, names: Iterable[str]) -> str:
        """Titles of tasks in a row."""
        return ", ".join(self.task(name).lower() for name in names)

    def cell(self, cell: PublishedCell) -> str:
        """A printed value in words, without its comparison."""
        parts = [block_title(cell.block) if cell.block else "", self.metric(cell.metric)]
        parts.append(QUANTITIES.get(cell.quantity, cell.quantity.replace("_", " ")))
        return ", ".join(part for part in parts if part)

    @cached_property
    def _titles(self) -> dict[str, str]:
        known = self.known
        titles = {
            # A metric whose id is an ordinary word (`side`) stays as it is.
            **{n: self.metric(n) for n in known.metrics() if re.search(r"[_@]", n)},
            **{e.id: e.title for e in known.evaluations().values()},
            **{name: self.run(name) for name in known.runs},
            **{c.id: f"{c.question} {subject(c)}" for c in known.comparisons.values()},
            **{k: v for k, v in QUANTITIES.items() if "_" in k},
            **{b.id: b.title for b in known.backbones.values()},
        }
        # A tool or method whose id is an ordinary word (`classes`, `prefix`) stays as it is.
        named: list[Tool | Method] = [*known.tools.values(), *known.methods.values()]
        for item in named:
            if "_" in item.id or item.title.lower().startswith(item.id):
                titles.setdefault(item.id, item.title)
        titles |= {t.id: t.title.lower() for t in known.tasks.values() if "-" in t.id}
        return {key: title for key, title in titles.items() if key != title}

    @cached_property
    def _ids(self) -> re.Pattern[str]:
        ids = "|".join(re.escape(name) for name in sorted(self._titles, key=len, reverse=True))
        # No match inside a path, a file name or a longer id.
        return re.compile(rf"(?<![\w./+-])(?:{ids or '(?!)'})(?![\w/+-])(?!\.[\w])")

    def words(self, text: str) -> str:
        """Running text with the ids in it replaced by what they stand for."""
        # A hypothesis about one tool of a block reads `CG+CT/pmd: …`.
        text = re.sub(r"(?<=[\w+])/(?=(\w+): )", lambda m: ", ", text)
        named = self._ids.sub(lambda match: self._titles[match.group()], text)
        named = _SIZE.sub(lambda match: f"{match.group(1)}B", named)
        return re.sub(
            r"(?<=adjusted by )\w+", lambda m: CORRECTIONS.get(m.group(), m.group()), named
        )


def abbreviations(known: Catalog, study: Study) -> list[tuple[str, str]]:
    """The abbreviations that the pages of a study use, with what they stand for: tasks, and regimes
    with their methods.
    """
    runs = list(known.of("runs", study.id))
    tasks = list(dict.fromkeys(task for run in runs for task in run.tasks))
    comparisons = list(known.of("comparisons", study.id))
    seen = " ".join([c.title for c in comparisons] + [b.id for c in comparisons for b in c.blocks])
    found = [
        (known.tasks[name].abbreviation, known.tasks[name].title.lower())
        for name in tasks
        if re.search(rf"\b{re.escape(known.tasks[name].abbreviation)}\b", seen)
    ]
    for regime in sorted({run.regime for run in runs}, reverse=True):
        for method in dict.fromkeys(run.method for run in runs if run.regime == regime):
            short = "FFT" if method == "fft" else known.methods[method].title
            name = f"{regime.upper()}-{short}"
            if name in seen:
                title = known.methods[method].title
                title = title if short == title else title.lower()
                found.append((name, f"{REGIMES.get(regime, regime)} {title}"))
    return found
