"""Examples in the OpenAPI document; they belong together, and a test posts them in this order.

What a photo decides (boxes, similarities, quality, milliseconds) differs from photo to photo.
"""

from typing import Any

ENROLL: dict[str, str] = {
    "sku": "MILK-1L",
    "name": "Whole milk 1 l",
    "price": "1.29",
    "currency": "EUR",
    "barcode": "4001234567890",
    "category": "dairy",
    "attributes": '{"organic": true}',
    "boxes": "[null]",
    "on_confusable": "warn",
}
PRODUCT: dict[str, Any] = {
    "sku": "MILK-1L",
    "name": "Whole milk 1 l",
    "price": "1.29",
    "currency": "EUR",
    "barcode": "4001234567890",
    "category": "dairy",
    "attributes": {"organic": True},
    "active": True,
    "version": 1,
    "views": 1,
    "created_at": "2026-05-04T09:12:31.482113Z",
    "updated_at": "2026-05-04T09:12:31.482113Z",
}
QUALITY = {"width": 192, "height": 338, "sharpness": 212.4, "bright": 241.0, "dark": 18.0}
VIEW: dict[str, Any] = {
    "id": 1,
    "sku": "MILK-1L",
    "box": [118.2, 64.5, 310.0, 402.3],
    "quality": QUALITY,
    "source": "photo",
    "crop_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "created_at": "2026-05-04T09:12:31.482113Z",
}
ENROLLED: dict[str, Any] = {
    "request_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "product": PRODUCT,
    "created": True,
    "images": [
        {
            "view_id": 1,
            "box": VIEW["box"],
            "quality": QUALITY,
            "status": "added",
            "complaints": [],
        }
    ],
    "confusable": [],
    "index_revision": 1,
}
_KNOWN = {"sku": "MILK-1L", "name": "Whole milk 1 l", "price": "1.29"}
DETECTED: dict[str, Any] = {
    "request_id": "0af7651916cd43dd8448eb211c80319c",
    "image": {"width": 1280, "height": 960},
    "items": [
        {
            "box": [402.0, 211.4, 598.7, 553.0],
            "score": 0.9871,
            "decision": "accept",
            **_KNOWN,
            "similarity": 0.9312,
            "confidence": 0.9904,
            "margin": 0.9312,
            "candidates": [{**_KNOWN, "similarity": 0.9312, "confidence": 0.9904}],
        }
    ],
    "basket": [
        {
            "sku": "MILK-1L",
            "name": "Whole milk 1 l",
            "quantity": 1,
            "unit_price": "1.29",
            "line_total": "1.29",
        }
    ],
    "total": "1.29",
    "currency": "EUR",
    "needs_attention": 0,
    "index_revision": 1,
    "models": {"detector": "kiosk-detector@1", "embedder": "kiosk-embedder@1", "space": "5f1c"},
    "timings_ms": {
        "decode": 3.1,
        "detect": 24.7,
        "embed": 3.4,
        "search": 0.1,
        "decide": 0.9,
        "total": 32.3,
    },
}
PATCH: dict[str, Any] = {"price": "1.49", "category": "drinks"}
PATCHED: dict[str, Any] = {**PRODUCT, "price": "1.49", "category": "drinks", "version": 2}
IMPORT = "sku,name,price\nMILK-1L,Whole milk 1 l,1.39\nTEA,Green tea,2.49\n"
IMPORTED: dict[str, Any] = {
    "request_id": "b7ad6b7169203331a3ce929d0e0e4736",
    "rows": 2,
    "created": 0,
    "updated": 1,
    "unchanged": 0,
    "refused": [
        {
            "line": 3,
            "sku": "TEA",
            "code": "invalid_input",
            "message": "images: a new product needs at least one photo",
        }
    ],
    "index_revision": 1,
}
PROBLEM: dict[str, Any] = {
    "type": "urn:tillsight:problem:invalid_input",
    "title": "A value is not valid",
    "status": 422,
    "detail": "top_k: Input should be less than or equal to 20, got '21'",
    "instance": "/detect",
    "code": "invalid_input",
    "request_id": "53995c3f42cd8ad8a3ce929d0e0e4736",
    "errors": [
        {
            "code": "invalid_input",
            "detail": "Input should be less than or equal to 20, got '21'",
            "location": "top_k",
        }
    ],
}


def answer(value: Any) -> dict[str, Any]:
    """An OpenAPI response with an example; FastAPI adds the schema."""
    return {"content": {"application/json": {"example": value}}}
