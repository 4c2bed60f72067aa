"""Examples of code-analysis tasks: `examples(task, split)`; `own` for the small sets that this project
wrote; `from_folder` for files of yours.

`formats` reads the upstream file layouts, `flakeflagger` makes the split of the flaky tests,
`search` reads the real search sets. An example's target is `1` or `0`; a retrieval pair that
belongs together has `1`.
"""

from mtpeft.corpora.analysis.load import examples, from_folder, own

__all__ = ["examples", "from_folder", "own"]
