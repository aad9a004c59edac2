"""Everything that can go wrong in this package.

    AppError
    |-- BadSettings                  an environment variable has a wrong value
    |-- InvalidInput                 a field or parameter has a wrong value
    |   |-- BadPrice
    |   |-- BadBox                   not a box inside of its image
    |   `-- BadCurrency              not the installation's currency
    |-- WrongCount                   too few or too many images
    |-- MalformedRequest             a body that cannot be parsed at all
    |-- UploadTooLarge               more bytes than the limit
    |-- UnsupportedMedia             a content type that is not read
    |-- NotAcceptable                an Accept header that is not served
    |-- BadImage
    |   |-- EmptyImage               no bytes or no pixels
    |   |-- NotAnImage
    |   |-- TruncatedImage           the file ends early or is damaged
    |   |-- AnimatedImage
    |   |-- TooManyPixels            refused by its header, never decoded
    |   `-- UnsupportedFormat        an image, but not JPEG, PNG or WebP
    |-- NoObject                     an enrolment photo without an object
    |-- SeveralObjects               ... or with more than one
    |-- PoorPhoto                    too small, blurred, dark or bright
    |-- Confusable                   looks like another product, and the caller wants that refused
    `-- NotReady                     starting or stopping

`models.errors` and `indexer.errors` have their own trees; `app.error_table` has every class of all
three, with its HTTP status and code.
A failure of one image carries `location` (`images[2]`), and failures of several images are told
together: the first is raised and the rest are its `others`.
"""

from collections.abc import Sequence
from typing import Any

Box = tuple[float, float, float, float]


class AppError(Exception):
    """Base of this package's errors.

    Attributes:
        location: what part of the request is meant, such as `price` or `images[2]`; or None.
        others: further errors of the same request.
        extra: plain values for the answer's `errors[]`, such as boxes or limits.
    """

    def __init__(self, message: str, location: str | None = None, **extra: Any) -> None:
        super().__init__(message)
        self.location = location
        self.extra: dict[str, Any] = extra
        self.others: tuple[AppError, ...] = ()


class BadSettings(AppError):
    """A setting has a wrong value; the message names the variable."""


class InvalidInput(AppError):
    """A field or parameter has a wrong value."""


class BadPrice(InvalidInput):
    """Not a price."""

    def __init__(self, text: str, expected: str) -> None:
        super().__init__(f"price: {expected}, got {text[:40]!r}", "price")


class BadCurrency(InvalidInput):
    """Not the currency of this installation."""

    def __init__(self, got: str, expected: str) -> None:
        super().__init__(f"currency: expected {expected}, got {got[:10]!r}", "currency")


class BadBox(InvalidInput):
    """Not a box inside of its image."""

    def __init__(
        self, reason: str, location: str | None, box: Sequence[Any], width: int, height: int
    ) -> None:
        super().__init__(
            f"box: {reason}, got {list(box)} for an image of {width} x {height} pixels",
            location,
            image={"width": width, "height": height},
        )


class WrongCount(AppError):
    """Too few or too many of something."""

    def __init__(self, what: str, got: int, low: int, high: int) -> None:
        super().__init__(
            f"{what}: expected {low} to {high}, got {got}", what, minimum=low, maximum=high
        )


class UploadTooLarge(AppError):
    """More bytes than the limit."""

    def __init__(self, limit: int, got: int | None = None, location: str | None = None) -> None:
        came = "more" if got is None else str(got)
        super().__init__(f"expected at most {limit} bytes, got {came}", location, limit=limit)


class MalformedRequest(AppError):
    """A body that cannot be parsed at all."""


class UnsupportedMedia(AppError):
    """A content type that is not read here."""


class NotAcceptable(AppError):
    """None of the accepted content types is served here."""


class BadImage(AppError):
    """A picture that cannot be used; subclasses say why."""


class EmptyImage(BadImage):
    """No bytes or no pixels."""


class NotAnImage(BadImage):
    """The bytes are no picture."""


class TruncatedImage(BadImage):
    """The file ends early or is damaged."""


class AnimatedImage(BadImage):
    """More than one frame."""


class TooManyPixels(BadImage):
    """Refused by its header, never decoded."""


class UnsupportedFormat(BadImage):
    """A picture, but not in a format that is read here."""


class NoObject(AppError):
    """An enrolment photo in which the detector finds nothing."""


class SeveralObjects(AppError):
    """An enrolment photo that shows more than one object."""


class PoorPhoto(AppError):
    """An enrolment photo that is too small, blurred, dark or bright."""


class Confusable(AppError):
    """The new views look like another product."""


class NotReady(AppError):
    """The service is starting or stopping."""
