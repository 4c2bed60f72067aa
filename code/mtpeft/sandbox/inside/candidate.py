"""The untrusted process of a function instance: defines the candidate and answers one call after
another.

Everything in here is at the candidate's mercy, which is why nothing it says counts but the answers
to the calls. Standard input: the encoded pair (source, entry point). Descriptor 3: calls, 4:
answers.
"""

import os
import sys
import types

from wire import NotPlain, decode, encode, read_frame, write_frame

TYPE_CHECKING = (
    False  # nothing is imported here that the candidate could reach, `typing` least of all
)
if TYPE_CHECKING:
    from typing import Any

CALLS, ANSWERS = 3, 4


def raised(error: BaseException) -> "dict[str, Any]":
    names = [str(kind.__name__)[:200] for kind in type(error).__mro__[:50]]
    try:
        message = str(error)[:500]
    except BaseException:
        message = ""
    return {"raised": names, "message": message}


def define(source: str, entry_point: str) -> "Any":
    module = types.ModuleType("candidate")
    sys.modules["candidate"] = module
    exec(compile(source, "<candidate>", "exec"), module.__dict__)
    return module.__dict__[entry_point]


def answer(function: "Any", call: "Any") -> "dict[str, Any]":
    number, arguments, named = call
    before = encode(arguments)
    try:
        value = function(*arguments, **named)
        reply = {"number": number, "value": encode(value)}
    except NotPlain as error:
        return {"number": number, "not_plain": str(error)}
    except BaseException as error:
        reply = dict(raised(error), number=number)
    # tests may look at what the call did to its arguments
    try:
        after = encode(arguments)
    except NotPlain:
        after = before
    if after != before:
        reply["arguments"] = after
    return reply


def main() -> None:
    source, entry_point = decode(sys.stdin.buffer.read())
    try:
        function = define(source, entry_point)
    except BaseException as error:
        write_frame(ANSWERS, encode(dict(raised(error), number=0)))
        return
    write_frame(ANSWERS, encode({"number": 0, "value": encode(None)}))
    while True:
        frame = read_frame(CALLS)
        if frame is None:
            break
        write_frame(ANSWERS, encode(answer(function, decode(frame))))
    os._exit(0)


main()
