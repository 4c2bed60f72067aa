"""Wrapping must be undone exactly: a lost blank or line would change what every analyser counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mtpeft.scoring.interface import Item
from mtpeft.scoring.wrapping import NotWrapped, class_name, unwrap, unwrap_java, wrap, wrap_java

IDS = st.one_of(
    st.integers(0, 999).map("translation_{}".format),
    st.text("0123456789abcdef", min_size=24, max_size=24),
).map(class_name)


@given(st.text(), IDS)
def test_unwrapping_undoes_wrapping_for_every_text(output, name):
    assert unwrap_java(wrap_java(output, name), name) == output


@given(st.text(), IDS)
def test_wrapping_undoes_unwrapping(output, name):
    text = wrap_java(output, name)
    assert wrap_java(unwrap_java(text, name), name) == text


@given(st.text(), IDS)
def test_a_text_that_is_not_wrapped_is_refused_or_wraps_back_to_itself(text, name):
    try:
        inner = unwrap_java(text, name)
    except NotWrapped:
        return
    assert wrap_java(inner, name) == text


def test_wrapped_text_is_the_studys_to_the_byte():
    assert wrap_java("int f() { return 1; }", class_name("translation_7")) == (
        "import java.util.*;\n\npublic class Translation7 {\n    int f() { return 1; }\n}"
    )
    assert class_name("6367667d1a6d9265ec017401") == "Generated_6367667d1a6d9265ec017401"


def test_head_and_tail_may_not_share_characters():
    head_only = "import java.util.*;\n\npublic class Translation7 {\n    "
    with pytest.raises(NotWrapped):
        unwrap_java(head_only[:-5] + "\n}", "Translation7")


@pytest.mark.parametrize("language", ["python", "csharp"])
def test_only_java_is_wrapped(language):
    item = Item("r", "t", "translation_1", language, "x = 1\n")
    assert wrap(item) == "x = 1\n"
    assert unwrap("x = 1\n", language, "translation_1") == "x = 1\n"
