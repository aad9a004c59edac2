"""The model card: a page for people, made from the manifest alone."""

from collections.abc import Mapping
from typing import Any

from models.manifest import Manifest

_USE = {
    "detector": "Finds every object in a photo of a tray or shelf, whatever it is. It names none.",
    "embedder": "Turns the crop of one product into a unit vector; near vectors mean equal looks.",
}


def render_card(manifest: Manifest) -> str:
    """Markdown text with every field of the manifest but the checksums."""
    pixels = manifest.preprocess
    sections = [
        f"# {manifest.name}",
        _USE.get(manifest.task, f"A network for the task {manifest.task}."),
        f"Written on {manifest.created} by version {manifest.code_version}. This page is made from "
        "`manifest.json` when the bundle is exported; do not edit it.",
        "## Input",
        f"RGB pixels, {pixels.height} x {pixels.width}, fitted by {pixels.fit}. Normalisation is "
        "part of the network.",
        "## Architecture",
        _table(manifest.architecture, "part"),
        "## Settings",
        _table(manifest.settings, "setting"),
        "## Measured",
        _table(manifest.metrics, "metric"),
        "## Precisions",
        _precisions(manifest),
        "## Training data",
        _data(manifest),
        "## Recipe",
        _table(manifest.recipe, "key"),
    ]
    return "\n\n".join(sections) + "\n"


def _table(values: Mapping[str, Any], heading: str) -> str:
    flat = _flatten(values)
    if not flat:
        return "Nothing is recorded."
    rows = [f"| {key} | {_cell(value)} |" for key, value in flat.items()]
    return "\n".join([f"| {heading} | value |", "| --- | --- |", *rows])


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects -> one level with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _cell(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _precisions(manifest: Manifest) -> str:
    rows = ["| precision | accuracy lost against fp32 |", "| --- | --- |"]
    for name, offer in manifest.precisions.items():
        measured = ", ".join(f"{k} {v:+.4f}" for k, v in (offer.loss or {}).items())
        silent = "the reference" if name == "fp32" else "not measured; never chosen by itself"
        rows.append(f"| {name} | {measured or silent} |")
    return "\n".join(rows)


def _data(manifest: Manifest) -> str:
    if not manifest.data:
        return "Nothing is recorded."
    columns = ("name", "licence", "use")
    rows = ["| " + " | ".join(_cell(d.get(c, "")) for c in columns) + " |" for d in manifest.data]
    return "\n".join(["| name | licence | use |", "| --- | --- | --- |", *rows])
