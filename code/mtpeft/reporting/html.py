"""HTML from templates: one environment, strict about undefined names, escaping by default."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mtpeft.reporting import marks

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
