"""The manifest of a bundle: what the network is, what it eats, what was measured, which files.

`manifest.json` is the JSON form of `Manifest`; `parse` is strict (unknown or missing keys, wrong
types and unknown versions are refused), so that a bundle never half works.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from models.errors import BundleError
from models.preprocess import Preprocess

VERSION = 1
TASKS = ("detector", "embedder", "localizer", "segmenter")
PrecisionName = Literal["fp32", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class Precision:
    """One arithmetic in which the bundle may be served.

    Attributes:
        ir: name of the OpenVINO graph in the bundle that serves it.
        loss: accuracy lost against fp32 per metric, as a share of 1 (0.004 = 0.4 points);
            None when it was not measured, and then nothing chooses it unasked.
    """

    ir: str
    loss: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that is known about a network, without its weights.

    Attributes:
        task: one of `TASKS`.
        name: name of the bundle, for people and logs.
        architecture: `kind` and the arguments that `models.nets.build` needs.
        preprocess: how an image becomes the network's input.
        settings: what the predictor needs (detector: anchors, thresholds; embedder: dim).
        metrics: measured scores, by protocol.
        data: training data, each as `{name, licence, use}`.
        recipe: how it was trained.
        precisions: the arithmetics offered, by name.
        code_version: version of this project that wrote the bundle.
        created: time of writing, ISO 8601 in UTC.
        files: sha256 of every file of the bundle but `manifest.json`, by relative name.
    """

    task: str
    name: str
    architecture: Mapping[str, Any]
    preprocess: Preprocess
    settings: Mapping[str, Any]
    metrics: Mapping[str, Any]
    data: tuple[Mapping[str, str], ...]
    recipe: Mapping[str, Any]
    precisions: Mapping[str, Precision]
    code_version: str
    created: str
    files: Mapping[str, str] = field(default_factory=dict)
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for `json.dumps`."""
        return asdict(self)


def dumps(manifest: Manifest) -> str:
    """The text of `manifest.json`; equal manifests give equal bytes."""
    return json.dumps(manifest.to_json(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def parse(text: str) -> Manifest:
    """The inverse of `dumps`; BundleError says what was expected and what came."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise BundleError(f"manifest.json is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise BundleError(f"manifest.json: expected an object, got {type(values).__name__}")
    # The version is judged first: another version may have other keys.
    if values.get("version") != VERSION:
        raise BundleError(
            f"manifest version: expected {VERSION}, got {values.get('version')!r}; "
            "the bundle was written by another release"
        )
    _check_keys(values)
    _check_types(values)
    if values["task"] not in TASKS:
        raise BundleError(f"task: expected one of {', '.join(TASKS)}, got {values['task']!r}")
    return Manifest(
        **{
            **values,
            "preprocess": _preprocess(values["preprocess"]),
            "precisions": {k: _precision(k, v) for k, v in values["precisions"].items()},
            "data": tuple(values["data"]),
        }
    )


_OBJECTS = ("architecture", "preprocess", "settings", "metrics", "recipe", "precisions", "files")
_TEXTS = ("task", "name", "code_version", "created")


def _check_keys(values: Mapping[str, Any]) -> None:
    expected = {f.name for f in fields(Manifest)}
    missing, unknown = sorted(expected - set(values)), sorted(set(values) - expected)
    if missing or unknown:
        raise BundleError(f"manifest.json: missing keys {missing}, unknown keys {unknown}")


def _check_types(values: Mapping[str, Any]) -> None:
    expected: dict[str, type] = {
        **dict.fromkeys(_OBJECTS, dict),
        **dict.fromkeys(_TEXTS, str),
        "data": list,
    }
    for key, kind in expected.items():
        if not isinstance(values[key], kind):
            raise BundleError(
                f"manifest.json: {key}: expected {kind.__name__}, got {type(values[key]).__name__}"
            )


def _preprocess(values: dict[str, Any]) -> Preprocess:
    try:
        return Preprocess.from_json(values)
    except (TypeError, ValueError) as error:
        raise BundleError(f"manifest.json: preprocess: {error}") from error


def _precision(name: str, values: Any) -> Precision:
    if name not in get_args(PrecisionName):
        raise BundleError(f"precisions: expected {get_args(PrecisionName)}, got {name!r}")
    if not isinstance(values, dict) or set(values) != {"ir", "loss"}:
        raise BundleError(f"precisions: {name}: expected an object with ir and loss, got {values}")
    loss = values["loss"]
    if loss is not None and not (isinstance(loss, dict) and all(map(_finite, loss.values()))):
        raise BundleError(f"precisions: {name}: loss: expected numbers or null, got {loss}")
    return Precision(str(values["ir"]), loss)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
