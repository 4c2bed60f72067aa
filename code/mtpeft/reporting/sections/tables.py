"""Every table of the paper, differing cells marked."""

from mtpeft.core.provenance import sha256
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section
from mtpeft.reporting.summary import count
from mtpeft.reporting.tables import build
from mtpeft.reporting.tables.render import heading, short_list, signs_used


def section(inputs: Inputs) -> Section:
    """One folded table each, its verdicts counted in the heading."""
    tables = []
    for table in inputs.known.tables.values():
        data = build(table, inputs)
        inputs.used |= {path for path in data.inputs if path.is_file()}
        verdicts = count(data.verdicts())
        tables.append(
            {
                "data": data,
                "heading": heading(data),
                "signs": signs_used(data),
                "verdicts": {k: n for k, n in verdicts.items() if n},
                "corrected": [c for c in data.columns if c.corrected],
                "files": short_list(sorted(inputs.shown(p) for p in data.inputs)),
                "hashes": dict(
                    sorted((inputs.shown(p), sha256(p)[:12]) for p in data.inputs if p.is_file())
                ),
            }
        )
    return Section("tables", "Tables", render("tables.html", tables=tables), str(len(tables)))
