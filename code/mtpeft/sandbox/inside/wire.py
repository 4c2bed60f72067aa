"""Plain values between the judge and the candidate, as bytes.

The judge decodes what hostile code sent, so nothing here runs code, looks up a class or trusts a
length: pickle and marshal are out, and json (whose import costs more than starting a comparison)
has no tuples, sets or bytes. One tag byte, then a decimal length or count ended by a colon where
the tag has one. A frame is four bytes of length, then one value.
"""

import os
import struct

TYPE_CHECKING = (
    False  # nothing is imported here that the candidate could reach, `typing` least of all
)
if TYPE_CHECKING:
    from typing import Any

MAX_FRAME = 8 << 20
MAX_ITEMS = 100_000
MAX_DEPTH = 200


class NotPlain(Exception):
    """A value that has no plain form: objects of own classes, functions, modules, endless
    iterators.
    """


class Malformed(Exception):
    """Bytes that are no encoding of a plain value."""


def _sequence(tag: bytes, items: "list[Any] | tuple[Any, ...]", depth: int) -> bytes:
    return b"%s%d:" % (tag, len(items)) + b"".join([_encode(item, depth + 1) for item in items])


def _text(tag: bytes, value: str) -> bytes:
    data = str.__str__(value).encode("utf-8", "surrogatepass")
    return b"%s%d:" % (tag, len(data)) + data


def _iterated(value: "Any", depth: int) -> bytes:
    items: "list[Any]" = []
    for item in value:
        items.append(item)
        if len(items) > MAX_ITEMS:
            raise NotPlain("an iterator of more than %d items" % MAX_ITEMS)
    return _sequence(b"I", items, depth)


def _encode(value: "Any", depth: int) -> bytes:
    if depth > MAX_DEPTH:
        raise NotPlain("nested deeper than %d" % MAX_DEPTH)
    if value is None:
        return b"N"
    if value is True:
        return b"T"
    if value is False:
        return b"F"
    if isinstance(value, int):
        return _text(b"i", format(int(value), "x"))
    if isinstance(value, float):
        return b"f" + struct.pack("<d", value)
    if isinstance(value, str):
        return _text(b"s", value)
    if isinstance(value, (bytes, bytearray)):
        return b"%s%d:" % (b"y" if isinstance(value, bytes) else b"B", len(value)) + bytes(value)
    if isinstance(value, list):
        return _sequence(b"l", value, depth)
    if isinstance(value, tuple):
        return _sequence(b"t", value, depth)
    if isinstance(value, dict):
        return _sequence(b"d", [part for pair in value.items() for part in pair], depth)
    if isinstance(value, frozenset):
        return _sequence(b"z", list(value), depth)
    if isinstance(value, set):
        return _sequence(b"S", list(value), depth)
    if isinstance(value, complex):
        return b"c" + struct.pack("<dd", value.real, value.imag)
    if isinstance(value, range):
        return _sequence(b"r", [value.start, value.stop, value.step], depth)
    name = (type(value).__module__, type(value).__qualname__)
    if name == ("decimal", "Decimal"):
        return _text(b"D", str(value))
    if name == ("fractions", "Fraction"):
        return _sequence(b"Q", [value.numerator, value.denominator], depth)
    if name == ("collections", "deque"):
        return _sequence(b"q", list(value), depth)
    if hasattr(type(value), "__next__") or type(value).__name__ in (
        "dict_keys",
        "dict_values",
        "dict_items",
    ):
        return _iterated(value, depth)
    raise NotPlain("an object of type %s.%s" % name)


def encode(value: "Any") -> bytes:
    """The bytes of a plain value.

    Raises:
        NotPlain: It is no plain value, or too large.
    """
    try:
        data = _encode(value, 0)
    except RecursionError:
        raise NotPlain("nested too deeply")
    if len(data) > MAX_FRAME:
        raise NotPlain("a value of %d bytes" % len(data))
    return data


def _decimal(numerator: str) -> "Any":
    from decimal import Decimal

    return Decimal(numerator)


def _fraction(numerator: int, denominator: int) -> "Any":
    from fractions import Fraction

    return Fraction(numerator, denominator)


def _deque(items: "list[Any]") -> "Any":
    from collections import deque

    return deque(items)


def _pairs(items: "list[Any]") -> "dict[Any, Any]":
    if len(items) % 2:
        raise Malformed("a key without a value")
    return dict(zip(items[::2], items[1::2]))


_BUILD: "dict[bytes, Any]" = {
    b"l": list,
    b"t": tuple,
    b"d": _pairs,
    b"S": set,
    b"z": frozenset,
    b"q": _deque,
    b"I": iter,
    b"r": lambda items: range(*items),
    b"Q": lambda items: _fraction(*items),
}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        if len(part) != count:
            raise Malformed("the value ends too early")
        self.at += count
        return part

    def number(self) -> int:
        end = self.data.find(b":", self.at, self.at + 12)
        digits = self.data[self.at : end] if end >= 0 else b""
        if not digits.isdigit():
            raise Malformed("no length")
        self.at = end + 1
        return int(digits)

    def value(self, depth: int = 0) -> "Any":
        if depth > MAX_DEPTH + 1:
            raise Malformed("nested too deeply")
        tag = self.take(1)
        if tag == b"N":
            return None
        if tag == b"T":
            return True
        if tag == b"F":
            return False
        if tag == b"i":
            return int(self.take(self.number()), 16)
        if tag == b"f":
            return struct.unpack("<d", self.take(8))[0]
        if tag == b"s":
            return self.take(self.number()).decode("utf-8", "surrogatepass")
        if tag == b"y":
            return self.take(self.number())
        if tag == b"B":
            return bytearray(self.take(self.number()))
        if tag == b"c":
            return complex(*struct.unpack("<dd", self.take(16)))
        if tag == b"D":
            return _decimal(self.take(self.number()).decode("ascii"))
        if tag in _BUILD:
            count = self.number()
            if count > len(self.data) - self.at:
                raise Malformed("more items than bytes")
            return _BUILD[tag]([self.value(depth + 1) for _ in range(count)])
        raise Malformed("unknown tag %r" % tag)


def decode(data: bytes) -> "Any":
    """The value of its bytes.

    Raises:
        Malformed: The bytes are no encoding; nothing else is raised, whatever they are.
    """
    reader = _Reader(data)
    try:
        value = reader.value()
    except Malformed:
        raise
    except Exception as error:
        # an unhashable key, a zero step, digits that are none: all of them are bytes that encode()
        # never writes
        raise Malformed("%s: %s" % (type(error).__name__, error))
    if reader.at != len(data):
        raise Malformed("bytes after the value")
    return value


def write_frame(descriptor: int, data: bytes) -> None:
    """Write one frame whole.

    Raises:
        OSError: The other side has closed.
    """
    rest = memoryview(struct.pack("<I", len(data)) + data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_frame(descriptor: int) -> "bytes | None":
    """The next frame's bytes, or None where the other side has closed, be it in the middle of one.

    Raises:
        Malformed: The frame is too large, or its length is cut off.
    """
    header = _read(descriptor, 4)
    if not header:
        return None
    size = struct.unpack("<I", header)[0] if len(header) == 4 else MAX_FRAME + 1
    if size > MAX_FRAME:
        raise Malformed("a frame of %d bytes" % size)
    data = _read(descriptor, size)
    return data if len(data) == size else None


def _read(descriptor: int, count: int) -> bytes:
    parts: "list[bytes]" = []
    while count:
        part = os.read(descriptor, min(count, 1 << 16))
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
