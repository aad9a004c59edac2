"""Accept headers, ETags and If-Match."""

import pytest

from app.errors import InvalidInput, NotAcceptable
from app.negotiation import negotiate
from app.routes.etags import etag, expected_version, unchanged

OFFERED = ("application/json", "image/jpeg", "image/png")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("image/png", "image/png"),
        ("IMAGE/PNG", "image/png"),
        ("image/*", "image/jpeg"),
        ("image/*;q=0.5, image/png;q=0.9", "image/png"),
        ("application/json;q=0.1, image/jpeg;q=0.2", "image/jpeg"),
        ("text/html,application/xhtml+xml,image/webp,*/*;q=0.8", "application/json"),
        ("image/avif,image/webp,image/*,*/*;q=0.8", "image/jpeg"),
        ("application/json;q=0, */*", "image/jpeg"),
        ("*/*;q=0.1, image/png;q=x", "application/json"),
    ],
)
def test_the_best_type_wins(accept: str | None, kind: str) -> None:
    assert negotiate(accept, OFFERED) == kind


@pytest.mark.parametrize("accept", ["text/html", "image/webp", "*/*;q=0", "application/json;q=0"])
def test_nothing_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="image/png"):
        negotiate(accept, OFFERED)


def test_versions_and_tags() -> None:
    assert expected_version(etag(7)) == 7
    assert expected_version(None) is expected_version("*") is None
    assert expected_version('W/"7"') == expected_version('"x"') == -1
    with pytest.raises(InvalidInput):
        expected_version("7")
    assert unchanged('"6", W/"7"', 7)
    assert unchanged("*", 7)
    assert not unchanged('"6"', 7)
    assert not unchanged(None, 7)
