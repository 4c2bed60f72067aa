"""What exists: tasks, backbones, methods, runs, tools with their metrics, comparisons, tables,
figures, claims.

Each thing is one small YAML file in a folder named after its kind; `load` reads them all
and refuses what it does not know, naming file, line and the nearest known name. Folders named in
MTPEFT_CATALOG (separated like PATH) are read after the shipped one, so that a task or metric can be
added from outside the package.
"""

from mtpeft.catalog.index import Catalog
from mtpeft.catalog.loader import catalog, load
from mtpeft.catalog.schema import (
    Backbone,
    Block,
    Claim,
    Comparison,
    Corpus,
    Evaluation,
    Figure,
    Margin,
    Method,
    Metric,
    Output,
    Run,
    Study,
    Table,
    Task,
    Tool,
)

__all__ = [
    "Backbone",
    "Block",
    "Catalog",
    "Claim",
    "Comparison",
    "Corpus",
    "Evaluation",
    "Figure",
    "Margin",
    "Method",
    "Metric",
    "Output",
    "Run",
    "Study",
    "Table",
    "Task",
    "Tool",
    "catalog",
    "load",
]
