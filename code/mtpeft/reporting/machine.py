"""The verdicts for machines: `verdict.json` and JUnit XML. Both are functions of the records alone."""

import json
from collections import Counter
from typing import Any
from xml.etree import ElementTree as ET

from mtpeft.core.records import VERDICTS, Verdict, unaccounted
from mtpeft.core.text import xml
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.summary import count_by_kind, count_outcomes, exit_code, group_by_cause


def verdict_json(inputs: Inputs) -> str:
    """Counts, claims, cells by comparison and quantity, causes and exit code as canonical JSON."""
    verdicts = inputs.verdicts
    place = {cell.id: (cell.comparison, cell.quantity) for cell in inputs.cells}
    cells: dict[str, dict[str, dict[str, int]]] = {}
    for (comparison, quantity), found in sorted(_by_place(inputs, place).items()):
        counts = Counter(v.verdict for v in found)
        cells.setdefault(comparison, {})[quantity] = {
            name: counts[name] for name in VERDICTS if counts[name]
        }
    record: dict[str, Any] = {
        "exit_code": exit_code(verdicts),
        "counts": count_by_kind(verdicts),
        "claim_outcomes": count_outcomes(inputs.claim_verdicts().values()),
        "conclusions_turned": {
            "printed_against_recomputed": len(inputs.turned_by_recomputing()),
            "recomputed_against_corrected": len(inputs.turned_by_correcting()),
        },
        "unexplained": sorted(v.id for v in unaccounted(verdicts)),
        "claims": [
            {
                "id": v.id,
                "verdict": v.verdict,
                "published": v.published,
                "recomputed": v.regenerated,
                "corrected": v.corrected,
                "conclusion_changes": v.conclusion_changes,
                "cause": v.cause,
                "reason": v.reason,
                "command": v.command,
            }
            for v in inputs.verdicts_of_kind("claim")
        ],
        "cells": cells,
        "causes": [
            {
                "key": g.key,
                "title": g.title,
                "verdicts": dict(sorted(Counter(v.verdict for v in g.verdicts).items())),
                "conclusions_changed": g.changed,
                "explained": not g.unexplained,
                "audited": g.audited,
            }
            for g in group_by_cause((v for v in verdicts if v.verdict != "not run"), inputs.causes)
        ],
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def _by_place(
    inputs: Inputs, place: dict[str, tuple[str, str]]
) -> dict[tuple[str, str], list[Verdict]]:
    result: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in inputs.verdicts_of_kind("cell"):
        result.setdefault(place.get(verdict.id, ("", "")), []).append(verdict)
    return result


def junit_xml(inputs: Inputs) -> str:
    """One test case per verdict, one suite per kind and (for printed values) comparison.

    An unexplained difference is a failure. A difference with an audited cause, and what could not
    run or be reproduced, is skipped with its reason: neither passed nor failed.
    """
    place = {cell.id: cell.comparison for cell in inputs.cells}
    suites: dict[str, list[Verdict]] = {}
    for verdict in inputs.verdicts:
        name = f"{verdict.tier}.{verdict.kind}"
        suites.setdefault(
            f"{name}.{place[verdict.id]}" if verdict.id in place else name, []
        ).append(verdict)
    root = ET.Element("testsuites", {"name": "mtpeft", **_totals(inputs.verdicts)})
    for name, found in suites.items():
        suite = ET.SubElement(root, "testsuite", {"name": xml(name), **_totals(found)})
        for verdict in found:
            case = ET.SubElement(suite, "testcase", classname=xml(name), name=xml(verdict.id))
            text = f"published {verdict.published or '–'}, recomputed {verdict.regenerated or '–'}"
            why = verdict.cause or verdict.reason
            if verdict in unaccounted([verdict]):
                ET.SubElement(
                    case,
                    "failure",
                    message=xml(f"{verdict.verdict}: {text}"),
                    type=verdict.verdict,
                ).text = xml(verdict.reason or "no cause known")
            elif verdict.verdict not in ("exact", "within tolerance"):
                message = xml(f"{verdict.verdict}: {text}; {why}")
                ET.SubElement(case, "skipped", message=message)
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _totals(verdicts: list[Verdict]) -> dict[str, str]:
    failures = len(unaccounted(verdicts))
    clean = sum(v.verdict in ("exact", "within tolerance") for v in verdicts)
    return {
        "tests": str(len(verdicts)),
        "failures": str(failures),
        "errors": "0",
        "skipped": str(len(verdicts) - failures - clean),
    }
