"""Tables: a catalog entry names its kind, the module of that name here builds it.

A kind is a module with `build(table, inputs) -> TableData`; a dotted name is imported as it stands,
so that a table can come from outside the package.
"""

from importlib import import_module

from mtpeft.catalog import Table
from mtpeft.core.errors import UnknownName
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.tables.model import TableData

KINDS = ("corpora", "tools", "configuration", "comparison")


def build(table: Table, inputs: Inputs) -> TableData:
    """The contents of one table."""
    if "." in table.kind:
        name = table.kind
    elif table.kind in KINDS:
        name = f"{__name__}.{table.kind}"
    else:
        raise UnknownName(f"kind of {table.id}", table.kind, KINDS)
    contents: TableData = import_module(name).build(table, inputs)
    return contents
