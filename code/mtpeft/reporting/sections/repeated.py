"""Choices that are repeated as published although they are faults, with the numbers they move."""

from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.repeated import LEAD, TITLE, told
from mtpeft.reporting.sections import Section


def section(inputs: Inputs) -> Section | None:
    """A table for each choice; None before the audit, or where none moves a number."""
    found = told(inputs)
    if not found:
        return None
    body = render("repeated.html", lead=LEAD.replace("*", ""), choices=found)
    return Section("repeated", TITLE, body, str(len(found)))
