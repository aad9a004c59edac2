"""JSON from callers, read strictly."""

import json
from collections.abc import Callable
from typing import Any

from app.errors import InvalidInput


def parse_json(text: str, location: str, parse_int: Callable[[str], float] | None = None) -> Any:
    """The value; InvalidInput also for NaN and infinities, which Python's reader would take."""
    try:
        return json.loads(text, parse_constant=_no_constant, parse_int=parse_int)
    except (ValueError, RecursionError) as exc:
        message = f"{location}: expected JSON, got {text[:40]!r} ({exc})"
        raise InvalidInput(message, location) from None


def parse_boxes(text: str) -> list[list[Any] | None]:
    """One box or null per image; what a box must look like depends on its image."""
    # All numbers as floats: an endless integer becomes an infinite one, which has an answer.
    boxes = parse_json(text, "boxes", parse_int=float)
    if not isinstance(boxes, list) or not all(b is None or isinstance(b, list) for b in boxes):
        raise InvalidInput(
            "boxes: expected a JSON list with [x1,y1,x2,y2] or null per image", "boxes"
        )
    return boxes


def parse_attributes(text: str) -> dict[str, Any]:
    """A JSON object."""
    value = parse_json(text, "attributes")
    if not isinstance(value, dict):
        raise InvalidInput(f"attributes: expected a JSON object, got {text[:40]!r}", "attributes")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
