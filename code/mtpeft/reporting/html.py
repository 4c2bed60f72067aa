"""HTML from templates: one environment, strict about undefined names, escaping by default."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from mtpeft.reporting import marks
from mtpeft.reporting.names import block_title

TEMPLATES = Path(__file__).resolve().parent / "templates"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The template environment with the filters that templates use."""
    result = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    result.filters |= {
        "sign": marks.SIGNS.__getitem__,
        "slug": marks.slug,
        "block": block_title,
        "thousands": "{:,}".format,
        "anchor": anchor,
        "ticks": ticks,
    }
    result.globals |= {"LEGEND": marks.LEGEND, "SIGNS": marks.SIGNS, "CHANGED": marks.CHANGED}
    return result


def render(template: str, **context: Any) -> Markup:
    """One template filled in; safe to place inside another."""
    return Markup(environment().get_template(template).render(**context))


def style() -> Markup:
    """The style sheet, to be placed inline."""
    return Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))


def script() -> Markup:
    """The script of the filter, to be placed inline; without it the page shows every value."""
    return Markup((TEMPLATES / "report.js").read_text(encoding="utf-8"))


def anchor(text: str) -> str:
    """A name that can stand in an address."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def ticks(text: str) -> Markup:
    """Escaped text in which `code` between backticks is set as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part)
        if i % 2 and len(parts) > 2
        else Markup("{}").format(part)
        for i, part in enumerate(parts)
    )


_TAG = re.compile(r"(<[^>]+>)")
_CLOSED = ("abbr", "code", "pre", "script", "style", "select", "dt", "caption", "summary")
"""Elements inside which nothing is explained."""


def explained(body: Markup, meanings: dict[str, str]) -> Markup:
    """The same HTML with each abbreviation explained where it first stands.

    Args:
        body: A part of the page.
        meanings: What abbreviations stand for.
    """
    if not meanings:
        return body
    names = "|".join(re.escape(name) for name in sorted(meanings, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w+-])({names})(?![\w+-])")
    seen: set[str] = set()

    def once(match: re.Match[str]) -> str:
        name = match.group()
        if name in seen:
            return name
        seen.add(name)
        return f'<abbr title="{escape(meanings[name])}">{name}</abbr>'

    result, inside = [], 0
    for piece in _TAG.split(body):
        if piece.startswith("<"):
            name = piece.strip("</>").split(" ")[0]
            if name in _CLOSED:
                inside += -1 if piece.startswith("</") else 1
        marked = not piece.startswith("<") and not inside and len(seen) < len(meanings)
        result.append(pattern.sub(once, piece) if marked else piece)
    return Markup("".join(result))
