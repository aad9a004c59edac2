"""Bytes of a request -> images and fields, with a clear error for everything else.

Multipart bodies are parsed here and not by FastAPI's `File(...)`, because limits, counts and
unknown names then have answers of their own, and because a raw image body is accepted as well.
"""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.errors import InvalidInput, MalformedRequest, UnsupportedMedia, UploadTooLarge, WrongCount
from app.settings import LimitSettings

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
MULTIPART = "multipart/form-data"
MAX_FIELDS = 32
FORM_BYTES = 2**20
MAX_FIELD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """One uploaded file: its name and media type as the client says, and its bytes."""

    name: str
    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """A parsed multipart body: text fields, and the files of each file field in order."""

    fields: Mapping[str, str]
    files: Mapping[str, Sequence[Part]]

    def required(self, name: str) -> str:
        """A text field that must be there and not be blank."""
        value = self.optional(name)
        if value is None:
            raise InvalidInput(f"{name}: this field is required", name)
        return value

    def optional(self, name: str) -> str | None:
        """A text field without outer spaces; None if it is absent or blank."""
        return self.fields.get(name, "").strip() or None


def content_type(request: Request) -> str:
    """The media type of the body in lower case without parameters; empty if not given."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


async def read_image(request: Request, limits: LimitSettings) -> bytes:
    """The one image of a request: multipart field `image`, or the body itself."""
    kind = content_type(request)
    if kind == MULTIPART:
        form = await read_form(request, limits, files={"image": 1}, fields=())
        return images_of(form, "image", limits, 1)[0]
    if kind not in IMAGE_TYPES:
        raise UnsupportedMedia(
            f"expected {MULTIPART} with a field `image`, or the image as the body with content "
            f"type {', '.join(IMAGE_TYPES)}; got {kind or 'no content type'}"
        )
    return b"".join([chunk async for chunk in limited(request, limits.max_upload_bytes)])


async def limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The chunks of a body; stops reading as soon as it is over the limit."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise UploadTooLarge(limit)
        yield chunk


async def read_form(
    request: Request, limits: LimitSettings, *, files: Mapping[str, int], fields: Collection[str]
) -> Form:
    """A multipart body with these file fields (name -> most files) and text fields."""
    kind = content_type(request)
    if kind != MULTIPART:
        raise UnsupportedMedia(f"expected {MULTIPART}, got {kind or 'no content type'}")
    most = sum(files.values())
    limit = min(limits.max_request_bytes, most * limits.max_upload_bytes + FORM_BYTES)
    parser = MultiPartParser(
        request.headers,
        limited(request, limit),
        max_files=most + 1,  # one more, so that the count in the error is right
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        data = await parser.parse()
    except MultiPartException as exc:
        if exc.message.startswith("Too many files"):
            raise WrongCount("/".join(files), most + 2, 1, most) from None
        raise MalformedRequest(f"the multipart body cannot be read: {exc.message}") from None
    try:
        return await _sorted_out(data, files, fields)
    finally:
        await data.close()


def images_of(form: Form, name: str, limits: LimitSettings, high: int) -> list[bytes]:
    """The bytes of every image of a field, in order; each within the limit of one image."""
    parts = parts_of(form, name, high)
    for index, part in enumerate(parts):
        check_image(part, f"{name}[{index}]", limits)
    return [part.data for part in parts]


def parts_of(form: Form, name: str, high: int) -> Sequence[Part]:
    """The 1 to `high` files of a field, not looked at yet."""
    parts = form.files[name]
    if not 1 <= len(parts) <= high:
        raise WrongCount(name, len(parts), 1, high)
    return parts


def check_image(part: Part, location: str, limits: LimitSettings) -> None:
    """Refuse a part that is declared as something else than an image, or is too large."""
    # A client that does not know the type of a file says octet-stream: the bytes decide.
    if not part.kind.startswith("image/") and part.kind not in ("", "application/octet-stream"):
        expected = ", ".join(IMAGE_TYPES)
        raise UnsupportedMedia(f"{location}: expected {expected}, got {part.kind}", location)
    if len(part.data) > limits.max_upload_bytes:
        raise UploadTooLarge(limits.max_upload_bytes, len(part.data), location)


async def _sorted_out(data: FormData, files: Mapping[str, int], fields: Collection[str]) -> Form:
    texts: dict[str, str] = {}
    parts: dict[str, list[Part]] = {name: [] for name in files}
    for name, value in data.multi_items():
        if name not in files and name not in fields:
            known = ", ".join((*files, *fields))
            raise InvalidInput(f"{name[:40]}: unknown field, expected {known}", name[:40])
        if isinstance(value, UploadFile) and name in files:
            parts[name].append(await _part(value))
        elif isinstance(value, str) and name in fields:
            if name in texts:
                raise InvalidInput(f"{name}: given more than once", name)
            texts[name] = value
        else:
            wanted = "a file (with a file name)" if name in files else "text, not a file"
            raise InvalidInput(f"{name}: expected {wanted}", name)
    return Form(texts, parts)


async def _part(upload: UploadFile) -> Part:
    kind = (upload.content_type or "").split(";")[0].strip().lower()
    return Part(upload.filename or "", kind, await upload.read())
