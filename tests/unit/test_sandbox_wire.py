"""What crosses between judge and candidate must arrive as it was, and hostile bytes must not get
further than decode.
"""

import os
from collections import OrderedDict, defaultdict, deque, namedtuple
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mtpeft.sandbox.inside import wire
from mtpeft.sandbox.inside.wire import Malformed, NotPlain, decode, encode

keys = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
)
plain = st.recursive(
    keys | st.complex_numbers(allow_nan=False),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner)
        | st.sets(keys)
        | st.frozensets(keys)
    ),
    max_leaves=20,
)


@settings(max_examples=50, deadline=None)
@given(plain)
def test_a_value_arrives_changed(value):
    arrived = decode(encode(value))
    assert arrived == value and type(arrived) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        Decimal("1.10"),
        Fraction(1, 3),
        deque([1, 2]),
        range(0, 10, 3),
        bytearray(b"x"),
        float("inf"),
        -0.0,
        "\ud800",
        True,
        1,
        1.0,
    ],
)
def test_a_type_of_the_standard_library_is_lost(value):
    arrived = decode(encode(value))
    assert arrived == value and type(arrived) is type(value) and repr(arrived) == repr(value)


def test_a_number_of_many_digits_is_refused():
    # decimal digits would meet Python's limit on conversions
    assert decode(encode(-(10**5000))) == -(10**5000)


def test_a_subclass_brings_its_own_equality():
    class Always(int):
        def __eq__(self, other):
            return True

    class Text(str):
        __slots__ = ()

        def __str__(self):
            return "other"

    assert type(decode(encode(Always(7)))) is int and decode(encode(Always(7))) != 8
    assert decode(encode(Text("x"))) == "x"
    assert decode(encode(namedtuple("P", "x y")(1, 2))) == (1, 2)
    assert decode(encode(defaultdict(list, {1: [2]}))) == {1: [2]}
    assert decode(encode(OrderedDict(a=1))) == {"a": 1}


def test_an_iterator_arrives_as_a_list():
    arrived = decode(encode(map(abs, [-1, 2])))
    assert arrived != [1, 2] and list(arrived) == [1, 2]


def test_something_that_is_not_plain_gets_through():
    endless = iter(int, 1)
    cycle: list = []
    cycle.append(cycle)
    for value in (object(), len, lambda: 0, os, endless, cycle, b"x" * (wire.MAX_FRAME + 1), type):
        with pytest.raises(NotPlain):
            encode(value)


@settings(max_examples=250, deadline=None)
@given(
    st.binary(max_size=60)
    | st.text("NTFifsbBltdSzcrQDqI0123456789:-a", max_size=60).map(str.encode)
)
def test_hostile_bytes_raise_something_else_than_malformed(data):
    with suppress(Malformed):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"l99999999999:",
        b"l9999:N",
        b"d1:N",
        b"s5:ab",
        b"i3:xyz",
        b"r3:i1:0i1:1i1:0",
        b"S1:l0:",
        b"l1:" * 300 + b"N",
        b"D3:abc",
        b"NN",
        b"Q2:i1:1i1:0",
        b"z1:d0:",
    ],
)
def test_a_malformed_value_is_taken(data):
    with pytest.raises(Malformed):
        decode(data)


def test_a_frame_of_absurd_size_is_read():
    read, write = os.pipe()
    os.write(write, b"\xff\xff\xff\x7f")
    with pytest.raises(Malformed):
        wire.read_frame(read)
    os.close(write)
    assert wire.read_frame(read) is None
    os.close(read)
