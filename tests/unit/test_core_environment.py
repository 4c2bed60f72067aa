"""Variables that must have a form are refused before a command begins."""

import pytest
from mtpeft.core import environment
from mtpeft.core.errors import MtpeftError


@pytest.mark.parametrize("value", ["lots", "-1", "nan", "inf", "1e999", "2,50", "$3", " "])
def test_a_price_is_a_finite_number(monkeypatch, value):
    monkeypatch.setenv("MTPEFT_PRICE_PER_HOUR", value)
    with pytest.raises(MtpeftError, match="MTPEFT_PRICE_PER_HOUR is") as caught:
        environment.check()
    assert "2.49" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "price"), [("", None), ("0", 0.0), ("2.49", 2.49), ("1e1", 10.0)]
)
def test_a_price_is_read(monkeypatch, value, price):
    monkeypatch.setenv("MTPEFT_PRICE_PER_HOUR", value)
    environment.check()
    assert environment.amount(environment.PRICE) == price


@pytest.mark.parametrize("name", environment.COUNTS)
@pytest.mark.parametrize("value", ["one", "-1", "1.0", "٣", "0x1"])
def test_a_count_is_a_whole_number(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(MtpeftError, match=f"{name} is"):
        environment.check()


def test_a_folder_of_models_is_there(monkeypatch, tmp_path):
    monkeypatch.setenv("MTPEFT_BACKBONES", str(tmp_path / "typo"))
    with pytest.raises(MtpeftError, match="a folder that is there"):
        environment.check()
    monkeypatch.setenv("MTPEFT_BACKBONES", str(tmp_path))
    environment.check()
    assert environment.folder(environment.BACKBONES) == tmp_path
