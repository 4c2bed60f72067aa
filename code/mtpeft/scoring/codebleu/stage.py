"""Recompute every archived CodeBLEU value and write, row by row, what became of it."""

from collections import Counter

from mtpeft.core import paths
from mtpeft.core.provenance import write_provenance
from mtpeft.scoring.codebleu.archive import CAUSES, PLACEMENTS, SEEDS, explain, write_explanations
from mtpeft.scoring.codebleu.sources import EVALUATION, archived_rows, references_path
from mtpeft.scoring.predictions import archived_path


def run(placements: int = PLACEMENTS, seeds: int = len(SEEDS)) -> None:
    """Write `rescore/codebleu-explained.csv` below the regenerated results, and print how many rows
    each cause has.

    Args:
        placements: Of blanks, as in `explain`.
        seeds: How many hash seeds to try.
    """
    rows = archived_rows()
    found = explain(rows, seeds=range(seeds), placements=placements)
    path = paths.REGENERATED / "rescore" / "codebleu-explained.csv"
    write_explanations(path, found)
    write_provenance(
        path, [archived_path(EVALUATION), references_path()], placements=placements, seeds=seeds
    )
    counts = Counter(explanation.cause for explanation in found)
    for cause in CAUSES:
        print(f"{counts[cause]:6d}  {100 * counts[cause] / len(rows):6.2f} %  {cause}")
    print(f"wrote {paths.shown(path)}")
