"""The audit of the archived scores and of the printed values: what a verdict on printed digits
cannot see.
"""

from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.names import QUANTITIES
from mtpeft.reporting.sections import Section

_SEVERITIES = ("serious", "error", "warning", "note")


def section(inputs: Inputs) -> Section:
    """Findings in the scores, the most severe first, and what stands out among the printed values
    themselves.
    """
    findings = list(inputs.findings or [])
    rank = {name: i for i, name in enumerate(_SEVERITIES)}
    findings.sort(key=lambda f: rank.get(f["severity"], -1))
    severities: dict[str, list[dict[str, str]]] = {}
    for finding in findings:
        severities.setdefault(finding["severity"], []).append(finding)
    checks: dict[str, dict[str, list[dict[str, str]]]] = {}
    for check in inputs.checks or []:
        checks.setdefault(_titled(check["check"]), {}).setdefault(check["result"], []).append(check)
    metrics = {name: metric.title for name, (_, metric) in inputs.known.metrics().items()}
    evaluations = {e.id: e.title for e in inputs.known.evaluations().values()}
    note = "not run" if inputs.findings is None else str(len(findings))
    return Section(
        "audit",
        "Audit",
        render(
            "audit.html",
            names=inputs.names,
            severities=severities,
            ran=inputs.findings is not None,
            metrics=metrics,
            evaluations=evaluations,
            standing_out={
                name: found
                for name, found in sorted(checks.items())
                if found.keys() != {"consistent"}
            },
            agreeing={
                name: len(found["consistent"])
                for name, found in sorted(checks.items())
                if found.keys() == {"consistent"}
            },
        ),
        note,
    )


def _titled(check: str) -> str:
    """A check whose first word is a quantity, by the quantity's title."""
    quantity, _, rest = check.partition(" ")
    return f"{QUANTITIES.get(quantity, quantity)} {rest}".rstrip()
