"""The trusted process of a function instance: runs the benchmark's tests, calling the candidate
across two pipes.

Standard input: the encoded dict `nonce`, `prelude` (definitions that the tests may use), `test`
(defines the check function), `check` (its name), `entry_point`. Descriptor 3: the candidate's
answers, 4: calls to it, 5: the verdict.
"""

import builtins
import os
import random
import sys

from wire import Malformed, NotPlain, decode, encode, read_frame, write_frame

TYPE_CHECKING = (
    False  # nothing is imported here that the candidate could reach, `typing` least of all
)
if TYPE_CHECKING:
    from typing import Any, NoReturn

ANSWERS, CALLS, VERDICT = 3, 4, 5


# What the candidate chooses is bounded where it enters: it ends in verdicts, logs and scores.
LONGEST_NAME, LONGEST_MESSAGE, MOST_NAMES = 200, 500, 50


def bounded(value: "Any", longest: int) -> str:
    return value[:longest] if isinstance(value, str) else "no text"


class Gone(BaseException):
    """The candidate cannot answer any more. No test may catch this and go on."""


class Unfit(BaseException):
    """The test asks for something that cannot cross to another process: the benchmark's or the
    runner's fault.
    """


class CandidateError(Exception):
    """The candidate raised something that is no built-in exception."""


class Candidate:
    """Stands in the tests for the candidate's function."""

    def __init__(self) -> None:
        self.calls = 0
        self.gone: "tuple[str, str] | None" = None
        self.last_raised: "str | None" = None

    def lose(self, reason: str, kind: str = "failed") -> "NoReturn":
        self.gone = self.gone or (kind, reason)
        raise Gone(reason)

    def receive(self) -> "dict[str, Any]":
        try:
            frame = read_frame(ANSWERS)
            if frame is None:
                self.lose("the candidate's process ended before it answered", "ended")
            reply = decode(frame)
        except Malformed as error:
            self.lose("the candidate's answer is malformed: %s" % error)
        if not isinstance(reply, dict) or reply.get("number") != self.calls:
            self.lose("the candidate's answer belongs to no call")
        return reply

    def start(self) -> None:
        reply = self.receive()
        if "value" not in reply:
            names = self.names(reply)
            self.gone = (
                "failed",
                "%s while the candidate was defined: %s"
                % (names[0], bounded(reply.get("message"), LONGEST_MESSAGE)),
            )
            self.last_raised = names[0]
            raise Gone(names[0])

    def names(self, reply: "dict[str, Any]") -> "list[str]":
        names = reply.get("raised")
        if (
            not isinstance(names, list)
            or not names
            or not all(isinstance(name, str) for name in names)
        ):
            self.lose("the candidate's answer is malformed: neither a value nor an exception")
        return [name[:LONGEST_NAME] for name in names[:MOST_NAMES]]

    def __call__(self, *arguments: "Any", **named: "Any") -> "Any":
        if self.gone:
            raise Gone(self.gone[1])
        self.calls += 1
        try:
            call = encode((self.calls, list(arguments), named))
        except NotPlain as error:
            if self.calls > 1:  # then it may be a value that the candidate gave
                self.lose("the test passes back %s" % error)
            raise Unfit("the test passes %s" % error)
        try:
            write_frame(CALLS, call)
        except BrokenPipeError:
            pass  # it has ended; what it still said is read below
        reply = self.receive()
        if "not_plain" in reply:
            self.lose(
                "the tests cannot be told what the candidate returned, %s"
                % bounded(reply["not_plain"], LONGEST_NAME)
            )
        try:
            if "arguments" in reply:
                write_back(arguments, decode(reply["arguments"]))
            if "value" in reply:
                return decode(reply["value"])
        except (Malformed, TypeError) as error:
            self.lose("the candidate's answer is malformed: %s" % error)
        raise self.exception(reply)

    def exception(self, reply: "dict[str, Any]") -> Exception:
        names = self.names(reply)
        self.last_raised = names[0]
        for name in names:
            kind = getattr(builtins, name, None)
            if isinstance(kind, type) and issubclass(kind, Exception):
                try:
                    return kind(bounded(reply.get("message"), LONGEST_MESSAGE))
                except TypeError:
                    continue  # UnicodeDecodeError and its like want more than a message
        return CandidateError(names[0])


def write_back(old: "tuple[Any, ...]", new: "Any") -> None:
    """What the call did to its mutable arguments, one level deep."""
    if not isinstance(new, list) or len(new) != len(old):
        raise Malformed("other arguments than were passed")
    for was, now in zip(old, new):
        if type(was) is not type(now):
            continue
        if isinstance(was, (list, bytearray)):
            was[:] = now
        elif isinstance(was, (dict, set)):
            was.clear()
            was.update(now)


def place(error: BaseException) -> str:
    """Name of the exception and the line of the test where it arose."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<test>":
            line = trace.tb_lineno
        trace = trace.tb_next
    name = type(error).__name__[:LONGEST_NAME]
    return name if line is None else "%s at line %d of the test" % (name, line)


def judge(config: "dict[str, Any]", candidate: Candidate) -> "tuple[str, str]":
    """(status, evidence, name of the exception that the candidate raised last)."""
    scope: "dict[str, Any]" = {"__name__": "judge"}
    try:
        exec(compile(config["prelude"], "<prelude>", "exec"), scope)
        exec(compile(config["test"], "<test>", "exec"), scope)
        check = scope[config["check"]]
    except Exception as error:
        return "unfit", "the tests cannot be defined: %s: %s" % (type(error).__name__, error)
    scope[config["entry_point"]] = candidate
    try:
        candidate.start()
        check(candidate)
    except Gone:
        pass
    except Unfit as error:
        return "unfit", str(error)
    except MemoryError:
        return "failed", "the answer was too large for the tests"
    except Exception as error:
        return "failed", place(error)
    if candidate.gone:
        return candidate.gone
    if candidate.calls == 0:
        return "unfit", "the tests never called the candidate"
    return "passed", "all tests passed in %d calls" % candidate.calls


def main() -> None:
    config = decode(sys.stdin.buffer.read())
    random.seed(0)  # some tests draw their inputs
    candidate = Candidate()
    status, evidence = judge(config, candidate)
    write_frame(
        VERDICT,
        encode(
            {
                "nonce": config["nonce"],
                "status": status,
                "evidence": evidence,
                "raised": candidate.last_raised,
            }
        ),
    )
    os._exit(0)


main()
