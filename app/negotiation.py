"""Which content type to answer with, from an Accept header (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence

from app.errors import NotAcceptable


def negotiate(accept: str | None, offered: Sequence[str]) -> str:
    """The best of `offered`, which are in the server's own order of preference.

    Raises:
        NotAcceptable: none of them is accepted.
    """
    if accept is None or not accept.strip():
        return offered[0]
    ranges = [_parsed(part) for part in accept.split(",") if part.strip()]
    ranked = [(_quality(kind, ranges), -index, kind) for index, kind in enumerate(offered)]
    quality, _, kind = max(ranked)
    if quality <= 0.0:
        raise NotAcceptable(
            f"Accept: expected one of {', '.join(offered)}, got {accept[:80]!r}", "Accept"
        )
    return kind


def _parsed(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return kind, min(1.0, max(0.0, float(value)))
            except ValueError:
                return kind, 0.0
    return kind, 1.0


def _quality(kind: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Quality of one content type: the most specific range that covers it decides."""
    family = kind.split("/")[0] + "/*"
    for wanted in (kind, family, "*/*"):
        found = [quality for name, quality in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0
