"""Tables: a catalog entry names its kind, the module of that name here builds it.

A kind is a module with `build(table, inputs) -> TableData`; a dotted name is a module next to the
study's `study.yaml`, or an installed one.
"""

from importlib import import_module

from mtpeft.catalog import Table
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.tables.model import TableData
from mtpeft.studies import own_part


def build(table: Table, inputs: Inputs) -> TableData:
    """The contents of one table."""
    build_it = (
        own_part(table, inputs.known)
        if "." in table.kind
        else import_module(f"{__name__}.{table.kind}").build
    )
    contents: TableData = build_it(table, inputs)
    return contents
