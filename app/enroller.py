"""Photos of one product -> reference views in the catalog, found by the very next recognition.

1. Decode and check every photo; a photo that cannot be used refuses the whole enrolment, and all
   such photos are named at once. One that is merely poor is left out, unless all are.
2. Embed the crops in one batch and look for other products that they resemble.
3. One transaction: product, views, vectors, change log; a crop that is a view of this product
   already is not stored again.
4. Bring the index of this process up to that revision.

A known product takes the given name and price. Vectors are made from the crops as stored, so
that re-embedding gives the same ones again.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from app import images
from app.errors import AppError, Confusable, InvalidInput, PoorPhoto, WrongCount
from app.photos import PhotoReader, Prepared
from app.ports import EnrolCatalog, Search
from app.receipt import EnrolledPhoto, LookAlike, Receipt, Status
from app.settings import Settings
from indexer.errors import AlreadyAnswered, IndexerError
from indexer.records import Enrolled, Idempotency, NewView, ProductInput
from models.types import Detector, Embedder, Vectors

OnConfusable = Literal["warn", "reject"]
_MOST_LOOK_ALIKES = 10

log = logging.getLogger(__name__)


class Enroller:
    """Adds products and views. Safe to use from many threads."""

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        search: Search,
        catalog: EnrolCatalog,
        settings: Settings,
    ) -> None:
        self._reader = PhotoReader(detector, settings)
        self._embedder = embedder
        self._search = search
        self._catalog = catalog
        self._settings = settings

    def enroll(
        self,
        product: ProductInput,
        photos: Sequence[bytes],
        boxes: Sequence[Sequence[Any] | None] | None = None,
        on_confusable: OnConfusable = "warn",
        *,
        idempotency_key: str | None = None,
        request_hash: str | None = None,
        source: str = "photo",
    ) -> Receipt:
        """Photos of one product -> `Receipt`.

        Args:
            product: a new one, or new values of a known one.
            photos: image files, each of which shows the product once.
            boxes: per photo the box of the product, or None to let the detector find it.
            on_confusable: `reject` stores nothing if the views resemble another product.
            idempotency_key: a second call with it gets the first one's receipt.
            request_hash: of what the key stands for; None = made from the arguments.
            source: where the photos came from, for people.

        Raises:
            WrongCount, InvalidInput, BadImage, UploadTooLarge, BadBox, NoObject,
            SeveralObjects, PoorPhoto, Confusable; IndexerError, ModelsError
        """
        boxes = self._check_counts(photos, boxes)
        once = None
        if idempotency_key is not None:
            digest = request_hash or _digest(product, photos, boxes, on_confusable)
            once = Idempotency(idempotency_key, digest)
            answer = self._catalog.idempotent_answer(once.key, once.request_hash)
            if answer is not None:
                return self._followed(Receipt.from_json(answer))
        prepared = self._prepare(photos, boxes)
        return self._followed(self._store(product, prepared, on_confusable, once, source))

    def _store(
        self,
        product: ProductInput,
        prepared: Sequence[Prepared],
        on_confusable: OnConfusable,
        once: Idempotency | None,
        source: str,
    ) -> Receipt:
        """Embed and compare the good photos, and store them in one transaction."""
        usable = [p for p in prepared if not p.complaints]
        vectors = self._embedder.embed([images.decode_crop(p.crop) for p in usable])
        look_alikes = self._look_alikes(vectors, product.sku)
        if look_alikes and on_confusable == "reject":
            raise _confusable(look_alikes)

        def receipt(enrolled: Enrolled) -> Receipt:
            shown = _photos(prepared, enrolled)
            stored = (enrolled.product, enrolled.created)
            return Receipt(*stored, shown, look_alikes, enrolled.revision)

        try:
            enrolled = self._catalog.enroll(
                product,
                [NewView(p.crop, p.box, p.quality.to_json(), source) for p in usable],
                self._embedder.space,
                vectors,
                idempotency=once,
                receipt=lambda enrolled: receipt(enrolled).to_json(),
            )
        except AlreadyAnswered as exc:  # the same request was faster on another thread or server
            return Receipt.from_json(exc.answer)
        return receipt(enrolled)

    def _check_counts(
        self, photos: Sequence[bytes], boxes: Sequence[Sequence[Any] | None] | None
    ) -> Sequence[Sequence[Any] | None]:
        most = self._settings.limits.max_images
        if not 1 <= len(photos) <= most:
            raise WrongCount("images", len(photos), 1, most)
        if boxes is None:
            return [None] * len(photos)
        if len(boxes) != len(photos):
            raise InvalidInput(
                f"boxes: expected one box or null per image ({len(photos)}), got {len(boxes)}",
                "boxes",
            )
        return boxes

    def _prepare(
        self, photos: Sequence[bytes], boxes: Sequence[Sequence[Any] | None]
    ) -> list[Prepared]:
        """All photos, one at a time in memory; the failures of all are raised together."""
        prepared: list[Prepared] = []
        failures: list[AppError] = []
        for index, (photo, box) in enumerate(zip(photos, boxes, strict=True)):
            try:
                prepared.append(self._reader.prepare(photo, box))
            except AppError as exc:
                exc.location = f"images[{index}]"
                failures.append(exc)
        if not failures and all(p.complaints for p in prepared):
            failures = [_poor(index, p) for index, p in enumerate(prepared)]
        if failures:
            failures[0].others = tuple(failures[1:])
            raise failures[0]
        return prepared

    def _look_alikes(self, vectors: Vectors, sku: str) -> tuple[LookAlike, ...]:
        """Other products with a view near to one of `vectors` `[N,D]`, most similar first."""
        if not len(vectors):
            return ()
        self._search.catch_up()  # another server may have enrolled the look-alike just now
        ids, similarities = self._search.search(vectors, self._settings.decisions.top_k_views)
        near = (ids >= 0) & (similarities >= self._settings.decisions.confusable)
        resolved = self._catalog.resolve(np.unique(ids[near]).tolist())
        best: dict[str, LookAlike] = {}
        for view_id, similarity in zip(
            ids[near].tolist(), similarities[near].tolist(), strict=True
        ):
            product = resolved[view_id].product if view_id in resolved else None
            if product is None or product.sku == sku:
                continue
            found = LookAlike(product.sku, product.name, round(similarity, 4))
            if found.sku not in best or best[found.sku].similarity < found.similarity:
                best[found.sku] = found
        ranked = sorted(best.values(), key=lambda found: -found.similarity)
        return tuple(ranked[:_MOST_LOOK_ALIKES])

    def _followed(self, receipt: Receipt) -> Receipt:
        """Catch up; a failure is only logged, since the product is stored and the tail retries."""
        try:
            self._search.catch_up(receipt.revision)
        except IndexerError:
            log.warning(
                "the index did not reach revision %d at once", receipt.revision, exc_info=True
            )
        return receipt


def _photos(prepared: Sequence[Prepared], enrolled: Enrolled) -> tuple[EnrolledPhoto, ...]:
    """What became of each photo; those without complaints were enrolled, in their order."""
    stored = iter(zip(enrolled.view_ids, enrolled.added, strict=True))
    entries = []
    for photo in prepared:
        status: Status = "refused"
        view_id = None
        if not photo.complaints:
            view_id, added = next(stored)
            status = "added" if added else "duplicate"
        quality = photo.quality.to_json()
        entries.append(EnrolledPhoto(view_id, photo.box, quality, status, photo.complaints))
    return tuple(entries)


def _poor(index: int, photo: Prepared) -> PoorPhoto:
    return PoorPhoto(
        "; ".join(photo.complaints),
        f"images[{index}]",
        box=list(photo.box),
        quality=photo.quality.to_json(),
    )


def _confusable(look_alikes: Sequence[LookAlike]) -> Confusable:
    first = look_alikes[0]
    found = [{"sku": p.sku, "name": p.name, "similarity": p.similarity} for p in look_alikes]
    return Confusable(
        f"the views resemble {first.sku} ({first.name}, similarity {first.similarity:.2f})",
        confusable=found,
    )


def _digest(
    product: ProductInput,
    photos: Sequence[bytes],
    boxes: Sequence[Sequence[Any] | None],
    on_confusable: str,
) -> str:
    """Hash of a request, so that a key cannot stand for two."""
    fields = {name: getattr(product, name) for name in product.__slots__}
    fields["attributes"] = dict(product.attributes)
    told = [fields, [hashlib.sha256(p).hexdigest() for p in photos], list(boxes), on_confusable]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
