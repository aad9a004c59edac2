import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadPrice
from app.money import MAX_MINOR, exponent, format_price, parse_price


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1.99", "EUR", 199),
        (" 1.9 ", "EUR", 190),
        ("0", "EUR", 0),
        ("007.05", "USD", 705),
        ("1200", "JPY", 1200),
        ("1.234", "KWD", 1234),
        ("10000000000.00", "EUR", MAX_MINOR),
    ],
)
def test_prices_become_minor_units(text: str, currency: str, minor: int):
    assert parse_price(text, currency) == minor


@pytest.mark.parametrize(
    "text",
    ["", " ", "1,99", "-1", "+1", "1.999", "1.", ".5", "1e3", "NaN", "inf", "1 000", "1.9.9"],
)
def test_everything_else_is_refused(text: str):
    with pytest.raises(BadPrice) as caught:
        parse_price(text, "EUR")
    assert caught.value.location == "price"
    assert len(str(caught.value)) < 200


def test_a_currency_without_minor_units_takes_no_decimals():
    with pytest.raises(BadPrice, match="at most 0 decimal places for JPY"):
        parse_price("1.5", "JPY")


@pytest.mark.parametrize("text", ["٣", "1_000", "0x10", "€1", "10000000000.01", "9" * 400])
def test_python_reads_more_than_a_price(text: str):
    with pytest.raises(BadPrice):
        parse_price(text, "EUR")


@given(st.integers(0, MAX_MINOR), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_format_is_the_inverse_of_parse(minor: int, currency: str):
    assert parse_price(format_price(minor, currency), currency) == minor


def test_format():
    assert format_price(199, "EUR") == "1.99"
    assert format_price(5, "EUR") == "0.05"
    assert format_price(-205, "EUR") == "-2.05"
    assert format_price(7, "JPY") == "7"
    assert format_price(7, "KWD") == "0.007"


def test_exponent_asks_for_a_code():
    with pytest.raises(ValueError, match="three letters"):
        exponent("EU")
