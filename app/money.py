"""Prices: decimal text at the edges, whole minor units (cents) everywhere inside.

Floating point never touches a price.
"""

import re

from app.errors import BadPrice

MAX_MINOR = 10**12
"""Largest price in minor units; far above any shop, far below 64 bits times a quantity."""

# ISO 4217 currencies whose minor unit is not a hundredth.
_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_DECIMAL = re.compile(r"([0-9]{1,13})(?:\.([0-9]+))?")


def exponent(currency: str) -> int:
    """Decimal places of a currency: 2 for EUR, 0 for JPY, 3 for KWD."""
    if len(currency) != 3:
        raise ValueError(f"currency: expected three letters, got {currency!r}")
    return 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2


def parse_price(text: str, currency: str) -> int:
    """`"1.99"`, `"EUR"` -> 199 minor units.

    Only plain decimals with a point: no sign, exponent, thousands separator or more decimal
    places than the currency has, since any guess about those would be a wrong price.

    Raises:
        BadPrice: with the text that came and what was expected.
    """
    places = exponent(currency)
    match = _DECIMAL.fullmatch(text.strip())
    if match is None:
        raise BadPrice(text, f"expected a decimal number such as {format_price(199, currency)}")
    whole, fraction = match.group(1), match.group(2) or ""
    if len(fraction) > places:
        raise BadPrice(text, f"expected at most {places} decimal places for {currency}")
    minor: int = int(whole) * 10**places + int(fraction.ljust(places, "0") or "0")
    if minor > MAX_MINOR:
        raise BadPrice(text, f"expected at most {format_price(MAX_MINOR, currency)}")
    return minor


def format_price(minor: int, currency: str) -> str:
    """199, `"EUR"` -> `"1.99"`; the inverse of `parse_price`."""
    places = exponent(currency)
    if places == 0:
        return str(minor)
    whole, fraction = divmod(abs(minor), 10**places)
    return f"{'-' if minor < 0 else ''}{whole}.{fraction:0{places}d}"
