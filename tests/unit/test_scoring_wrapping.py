"""Wrapping must be undone exactly: a lost blank or line would change what every analyser counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mtpeft.catalog import catalog
from mtpeft.scoring.interface import Item
from mtpeft.scoring.wrapping import NotWrapped, framed, unframed, wrap
from mtpeft.studies.outputs import dialect_of_set

DIALECT = dialect_of_set(catalog(), "generation-java")
JAVA = DIALECT.FRAMES["java"]
IDS = st.one_of(
    st.integers(0, 999).map("translation_{}".format),
    st.text("0123456789abcdef", min_size=24, max_size=24),
).map(lambda name: DIALECT.unit_of(name, "java"))


@given(st.text(), IDS)
def test_unwrapping_undoes_wrapping_for_every_text(output, name):
    assert unframed(framed(output, JAVA, name), JAVA, name) == output


@given(st.text(), IDS)
def test_wrapping_undoes_unwrapping(output, name):
    text = framed(output, JAVA, name)
    assert framed(unframed(text, JAVA, name), JAVA, name) == text


@given(st.text(), IDS)
def test_a_text_that_is_not_wrapped_is_refused_or_wraps_back_to_itself(text, name):
    try:
        inner = unframed(text, JAVA, name)
    except NotWrapped:
        return
    assert framed(inner, JAVA, name) == text


def test_wrapped_text_is_the_studys_to_the_byte():
    assert framed("int f() { return 1; }", JAVA, DIALECT.unit_of("translation_7", "java")) == (
        "import java.util.*;\n\npublic class Translation7 {\n    int f() { return 1; }\n}"
    )
    assert (
        DIALECT.unit_of("6367667d1a6d9265ec017401", "java") == "Generated_6367667d1a6d9265ec017401"
    )


def test_head_and_tail_may_not_share_characters():
    head_only = "import java.util.*;\n\npublic class Translation7 {\n    "
    with pytest.raises(NotWrapped):
        unframed(head_only[:-5] + "\n}", JAVA, "Translation7")


@pytest.mark.parametrize("language", ["python", "csharp"])
def test_only_java_was_wrapped_by_the_study(language):
    frame = DIALECT.FRAMES.get(language, ("", ""))
    item = Item("r", "t", "translation_1", language, "x = 1\n", frame=frame)
    assert wrap(item) == "x = 1\n"
    assert language not in DIALECT.FRAMES
