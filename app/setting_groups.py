"""The groups of settings: names, types, defaults, limits and what each is for.

`app.settings` puts them together and fills them from the environment.
"""

from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from indexer.database import normalized_url
from indexer.decide import DEFAULT_VIEW_WEIGHT, ThresholdPolicy


def shipped_bundle(name: str) -> Path:
    """Folder of a bundle that is installed with the package."""
    return Path(str(files("models"))) / "weights" / name


class Group(BaseModel):
    """A named group of settings: frozen, and an unknown name is an error."""

    # The input is hidden because a database URL may hold a password.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class DatabaseSettings(Group):
    """Where the catalog lives."""

    url: str | None = Field(
        default=None,
        repr=False,
        description="SQLAlchemy URL. Unset: an embedded SQLite file `tillsight.db` in the data "
        "directory, which upgrades its own schema.",
    )
    pool_size: int = Field(default=10, ge=1, description="Connections kept open (PostgreSQL).")
    connect_timeout_s: float = Field(
        default=5.0, gt=0, description="Seconds to wait for a connection."
    )
    busy_timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds to wait for another writer."
    )

    @field_validator("url")
    @classmethod
    def _of_a_known_database(cls, url: str | None) -> str | None:
        if url is not None:
            normalized_url(url)
        return url


class BundleSettings(Group):
    """Which networks are served."""

    detector: Path = Field(
        default_factory=lambda: shipped_bundle("kiosk-detector"),
        description="Folder of the detector bundle. Default: the one shipped with the package.",
    )
    embedder: Path = Field(
        default_factory=lambda: shipped_bundle("kiosk-embedder"),
        description="Folder of the embedder bundle. Default: the one shipped with the package. "
        "Another embedder is another vector space: run `tillsight index reembed` first.",
    )


class EngineSettings(Group):
    """What the networks run on."""

    device: Literal["auto", "cpu", "cuda", "torch-cpu"] = Field(
        default="auto", description="auto takes CUDA if it is there, else OpenVINO on the CPU."
    )
    precision: Literal["auto", "fp32", "bf16", "int8"] = Field(
        default="auto",
        description="Arithmetic of the networks; auto takes what the bundle recommends.",
    )
    threads: int = Field(
        default=0, ge=0, description="Inference threads on the CPU; 0 = all cores."
    )


class BatchingSettings(Group):
    """How requests that arrive together share the device."""

    max_batch: int = Field(
        default=32, ge=1, description="Most images or crops in one network call."
    )
    max_queue: int = Field(
        default=64, ge=1, description="Calls that may wait; one more is answered with 503."
    )


class IndexSettings(Group):
    """The vector index, a projection of the catalog."""

    tail_interval_s: float = Field(
        default=0.5, gt=0, description="Seconds between two looks at the catalog's change log."
    )
    catch_up_timeout_s: float = Field(
        default=10.0, gt=0, description="Longest wait for a `min_revision` or for an own change."
    )
    max_lag: int = Field(
        default=1000,
        ge=0,
        description="Revisions the index may be behind while /readyz is still green.",
    )
    exact_up_to: int = Field(
        default=50_000, ge=0, description="Views up to which the search is exact; beyond it is IVF."
    )
    gpu: bool = Field(
        default=False, description="Search on the GPU (needs a faiss build with GPU)."
    )
    snapshot_every: int = Field(
        default=10_000, ge=1, description="Revisions after which a new snapshot is written."
    )


class DecisionSettings(Group):
    """From similarities to accept, review or unknown."""

    accept: float = Field(
        default=ThresholdPolicy.accept,
        ge=-1,
        le=1,
        description="Least product similarity of an accepted item.",
    )
    review: float = Field(
        default=ThresholdPolicy.review,
        ge=-1,
        le=1,
        description="Least product similarity of an item to review.",
    )
    margin: float = Field(
        default=ThresholdPolicy.margin,
        ge=0,
        le=2,
        description="Least distance to the second product of an accepted item.",
    )
    view_weight: float = Field(
        default=DEFAULT_VIEW_WEIGHT,
        ge=0.5,
        le=1,
        description="Weight of a product's best view; the rest goes to its second best.",
    )
    top_k_views: int = Field(default=24, ge=2, description="Reference views fetched per object.")
    crop_padding: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of its side by which a box grows before cropping.",
    )
    min_score: float | None = Field(
        default=None, gt=0, lt=1, description="Least detection score. Unset: what the bundle says."
    )
    confusable: float = Field(
        default=0.85,
        ge=-1,
        le=1,
        description="Similarity from which two products count as confusable.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "DecisionSettings":
        if self.review > self.accept:
            raise ValueError(f"expected review <= accept, got {self.review} > {self.accept}")
        return self


class QualitySettings(Group):
    """Which enrolment photos are refused; low on purpose, to refuse only useless ones."""

    min_side: int = Field(default=24, ge=1, description="Least side of the object in pixels.")
    min_sharpness: float = Field(
        default=1.5,
        ge=0,
        description="Least variance of the Laplacian, object scaled to 256 pixels and full light.",
    )
    min_bright: float = Field(
        default=30.0,
        ge=0,
        le=255,
        description="The brightest percent must reach this grey (0 to 255).",
    )
    max_dark: float = Field(
        default=250.0, ge=0, le=255, description="The darkest percent must be at most this grey."
    )


class HttpSettings(Group):
    """The server."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=8000, ge=0, le=65535, description="Port to listen on; 0 = any free one."
    )
    root_path: str = Field(default="", description="Path prefix that a proxy in front takes away.")
    workers: int = Field(
        default=16, ge=1, description="Requests worked on at the same time (threads)."
    )


class LimitSettings(Group):
    """What one request may bring."""

    max_upload_bytes: int = Field(default=20 * 2**20, ge=1, description="Bytes of one image file.")
    max_request_bytes: int = Field(
        default=256 * 2**20, ge=1, description="Bytes of a whole request."
    )
    max_pixels: int = Field(
        default=50_000_000, ge=1, description="Pixels of one image, by its header."
    )
    max_images: int = Field(default=50, ge=1, description="Images in one enrolment.")
    max_batch_images: int = Field(default=16, ge=1, description="Images in one /detect/batch.")


class CatalogSettings(Group):
    """What holds for all products."""

    currency: str = Field(
        default="EUR",
        pattern="^[A-Z]{3}$",
        description="ISO 4217 code; one currency per installation.",
    )
    idempotency_hours: float = Field(
        default=168.0, gt=0, description="How long an answer with an Idempotency-Key is kept."
    )
