"""CodeBLEU of all archived C# → Java outputs: the library called per row, and the package's fast
path, side by side.

Both work through the same slices in turn, so that whatever else the machine does slows both alike.
Every value must be equal to the last bit. Run: `MTPEFT_MIRROR=… PYTHONHASHSEED=0 python
tests/bench/bench_codebleu.py`
"""

import json
import logging
import os
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "code"))

from codebleu import calc_codebleu
from mtpeft.scoring.codebleu.batch import score_pairs
from mtpeft.scoring.codebleu.layout import unformat
from mtpeft.scoring.codebleu.sources import archived_rows

SLICES = 5


def cpu() -> float:
    """CPU seconds of this process and its finished workers."""
    return sum(
        u.ru_utime + u.ru_stime
        for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def main() -> int:
    logging.disable(logging.WARNING)
    # By instance, so that a slice holds all runs' outputs of its instances: what the fast path
    # meets in one call on all.
    rows = sorted(archived_rows(), key=lambda row: row.instance_id)
    pairs = [(row.reference, unformat(row.output)) for row in rows]
    spent = {"library": [0.0, 0.0], "fast": [0.0, 0.0]}
    different = 0
    size = -(-len(pairs) // SLICES)
    for start in range(0, len(pairs), size):
        part = pairs[start : start + size]
        began, began_cpu = time.perf_counter(), cpu()
        expected = [
            calc_codebleu([reference], [output], "java")["codebleu"] for reference, output in part
        ]
        spent["library"][0] += time.perf_counter() - began
        spent["library"][1] += cpu() - began_cpu
        began, began_cpu = time.perf_counter(), cpu()
        found = score_pairs(part, "java")
        spent["fast"][0] += time.perf_counter() - began
        spent["fast"][1] += cpu() - began_cpu
        different += sum(
            outcome.value != value for outcome, value in zip(found, expected, strict=True)
        )
    print(
        json.dumps(
            {
                "rows": len(pairs),
                "distinct": len(set(pairs)),
                "different": different,
                "processes": len(os.sched_getaffinity(0)),
                "library_seconds": round(spent["library"][0], 2),
                "fast_seconds": round(spent["fast"][0], 2),
                "times_faster": round(spent["library"][0] / spent["fast"][0], 2),
                "library_cpu_seconds": round(spent["library"][1], 2),
                "fast_cpu_seconds": round(spent["fast"][1], 2),
            },
            indent=1,
        )
    )
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
