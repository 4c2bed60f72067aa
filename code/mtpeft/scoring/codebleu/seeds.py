"""How the released data-flow match varies with Python's hash seed.

A process cannot change its own hash seed, so every seed is asked in a process of its own. Run as a
program this module answers one: JSON `{"language": …, "pairs": [[reference, output], …]}` on
standard input, a JSON list of data-flow matches (null where the reference has no data flow) on
standard output.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from mtpeft.core.errors import MtpeftError
from mtpeft.core.processes import run
from mtpeft.scoring.codebleu.analysis import analyse
from mtpeft.scoring.codebleu.components import data_flow_match

_CODE = Path(__file__).resolve().parents[3]
_SECONDS = 3600.0


def data_flow_by_seed(
    pairs: Sequence[tuple[str, str]], language: str, seeds: Iterable[int]
) -> dict[int, list[float | None]]:
    """The released data-flow match of each pair under each hash seed.

    Args:
        pairs: Reference and output.
        language: `java`, `csharp` or `python`.
        seeds: The hash seeds.

    Returns:
        The matches by seed, in the order of the pairs; None where the reference has no data flow.

    Raises:
        MtpeftError: A process failed.
    """
    request = json.dumps({"language": language, "pairs": list(pairs)})
    result = {}
    for seed in seeds:
        path = os.pathsep.join(filter(None, [str(_CODE), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": path}
        done = run(
            [sys.executable, "-m", __name__],
            seconds=_SECONDS,
            given=request,
            environment=environment,
        )
        if done.code:
            raise MtpeftError(
                f"data flow under hash seed {seed} failed: {done.problem}",
                "a JSON answer",
                "run make test, then the command again",
            )
        result[seed] = json.loads(done.text)
    return result


def _main() -> None:
    request = json.load(sys.stdin)
    json.dump(
        [
            data_flow_match(*(analyse(text, request["language"], corrected=False) for text in pair))
            for pair in request["pairs"]
        ],
        sys.stdout,
    )


if __name__ == "__main__":
    _main()
