"""The log of outcomes: append-only JSON lines, flushed to the disk, so that a killed run resumes
where it was.
"""

import hashlib
import json
import threading
from dataclasses import asdict
from pathlib import Path

from mtpeft.core.errors import BadInput
from mtpeft.core.files import append_lines, lines, read_bytes, repair_last_line
from mtpeft.sandbox import outcome
from mtpeft.sandbox.instances import Instance
from mtpeft.sandbox.outcome import Outcome


def key_of(instance: Instance, runtime: str) -> str:
    """SHA-256 of everything that decides an outcome: the instance, its limits, and the
    interpreter's version.
    """
    fields = {name: value for name, value in asdict(instance).items() if name != "id"}
    text = json.dumps(
        [type(instance).__name__, runtime, fields], sort_keys=True, default=lambda data: data.hex()
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class ResultLog:
    """Outcomes by content key. Verdicts are remembered; an infrastructure failure is written down,
    then run again.

    A last line without its end, which a killed run leaves, is cut off.

    Args:
        path: The file.

    Raises:
        BadInput: A line is no result.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, Outcome] = {}
        self._lock = threading.Lock()
        if path.exists():
            self._load()

    def _load(self) -> None:
        repair_last_line(self.path)
        for number, line in enumerate(lines(read_bytes(self.path)), start=1):
            try:
                fields = json.loads(line)
                key = fields.pop("key")
                fields.pop("id")
                fields["evidence"] = outcome.evidence_of(fields["evidence"])
                result = Outcome(**fields)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise BadInput(
                    self.path,
                    f"no result of an execution: {error}",
                    "a line that this package wrote",
                    "remove the line; the instance runs again",
                    line=number,
                ) from error
            if result.status in outcome.VERDICTS:
                self._known[key] = result

    def get(self, key: str) -> Outcome | None:
        """The verdict recorded for this key, without its captured output."""
        return self._known.get(key)

    def append(self, key: str, instance_id: str, result: Outcome) -> None:
        """Write one outcome and flush it to the disk before returning."""
        fields = {"key": key, "id": instance_id, **result.summary()}
        with self._lock:
            append_lines(self.path, [json.dumps(fields, sort_keys=True)])
            if result.status in outcome.VERDICTS:
                self._known[key] = result
