"""Table 3: the fine-tuning configuration, rendered from the same catalog files that training reads."""

from collections.abc import Iterator
from typing import Any

from mtpeft.catalog import Table
from mtpeft.core.errors import BadInput
from mtpeft.core.paths import CATALOG
from mtpeft.core.records import format_value
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.marks import MISSING
from mtpeft.reporting.tables.model import Column, Group, Row, TableData, Value, text
from mtpeft.reporting.tables.sources import catalog_files


def build(table: Table, inputs: Inputs) -> TableData:
    """One column per method, one row per setting, in the order of the files; nested settings get
    dotted names.

    Options: methods, those to show (default: those of the table's study).

    Raises:
        BadInput: There is no method to show.
    """
    known = inputs.known
    wanted = table.options.get("methods") or [m.id for m in known.of("methods", table.study)]
    methods = [known.get("methods", name) for name in wanted]
    if not methods:
        raise BadInput(
            CATALOG / "tables", f"{table.id} has no method to show", "a study with methods"
        )
    settings = {m.id: dict(_flatten(m.tuning)) for m in methods}
    names = list(dict.fromkeys(name for values in settings.values() for name in values))
    columns = [
        Column("setting", "Setting", numeric=False),
        *(Column(m.id, m.title, numeric=False) for m in methods),
    ]
    rows = [
        Row(
            {
                "setting": Value(name, name.replace("_", " ").replace(".", " · ")),
                **{m.id: _value(settings[m.id].get(name)) for m in methods},
            }
        )
        for name in names
    ]
    backbones = [b.title for b in known.of("backbones", table.study)]
    regimes = {
        m.id: sorted({r.regime.upper() for r in known.of("runs", table.study) if r.method == m.id})
        for m in methods
    }
    head = Row(
        {"setting": text("base models"), **{m.id: text(", ".join(backbones)) for m in methods}}
    )
    used = Row(
        {
            "setting": text("regimes"),
            **{m.id: text(" and ".join(regimes[m.id]) or MISSING) for m in methods},
        }
    )
    notes = [
        "ST: one task per model; MT: all tasks in one model. A setting that a method does not have is shown as –."
    ]
    shown = {
        "methods": methods,
        **{kind: list(known.of(kind, table.study)) for kind in ("backbones", "runs")},
    }
    files = [
        path
        for kind, items in shown.items()
        for path in catalog_files(inputs.known, kind, (item.id for item in items))
    ]
    return TableData(table, columns, [Group("", [head, used, *rows])], notes, files)


def _flatten(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _value(setting: Any) -> Value:
    if setting is None:
        return Value(None, MISSING)
    if isinstance(setting, bool):
        return Value(setting, "yes" if setting else "no")
    if isinstance(setting, list):
        return text(", ".join(format_value(item) for item in setting))
    return text(format_value(setting))
