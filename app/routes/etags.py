"""Address, ETag and If-Match of products; the version of a product is its entity tag (RFC 9110)."""

import re
from typing import Annotated
from urllib.parse import quote

from fastapi import Header, Request

from app.errors import InvalidInput

_TAG = re.compile(r'"(?P<version>[0-9]{1,18})"')
_NEVER = -1
"""A version that no product has: a tag that is not ours never matches."""

IfMatch = Annotated[
    str | None, Header(description="the ETag last seen; 412 if the product has changed since")
]
IfNoneMatch = Annotated[str | None, Header(description="304 if the product still has this ETag")]


def etag(version: int) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


def expected_version(if_match: str | None) -> int | None:
    """The version that the caller has seen; None if it does not care (no header, or `*`)."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip()
    if "," in text or not re.fullmatch(r'(W/)?"[^"]*"', text):
        raise InvalidInput(f'If-Match: expected one ETag such as "3", got {text[:40]}', "If-Match")
    match = _TAG.fullmatch(text)
    return int(match["version"]) if match else _NEVER


def unchanged(if_none_match: str | None, version: int) -> bool:
    """Whether the caller has this version already; a weak comparison, as for GET."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag(version) in tags


def product_url(request: Request, sku: str) -> str:
    """Path of a product, below the prefix that a proxy in front took away."""
    return f"{request.scope.get('root_path', '')}/products/{quote(sku, safe='')}"
