"""Every setting of the service, in one frozen value; the only reader of the environment.

A setting `group.name` is the variable `TILLSIGHT_GROUP__NAME`. `load()` is called once, by the
command line or `create_app`, and the value is passed on; nothing else looks at the environment.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import BadSettings
from app.setting_groups import (
    BatchingSettings,
    BundleSettings,
    CatalogSettings,
    DatabaseSettings,
    DecisionSettings,
    EngineSettings,
    Group,
    HttpSettings,
    IndexSettings,
    LimitSettings,
    QualitySettings,
)

__all__ = [
    "BatchingSettings",
    "BundleSettings",
    "CatalogSettings",
    "DatabaseSettings",
    "DecisionSettings",
    "EngineSettings",
    "HttpSettings",
    "IndexSettings",
    "LimitSettings",
    "QualitySettings",
    "Settings",
    "describe",
    "load",
    "unknown_variables",
    "variable",
]

PREFIX = "TILLSIGHT_"
DELIMITER = "__"


class Settings(BaseSettings):
    """All settings; defaults run on a laptop."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(
        default=Path("data"), description="Directory of the embedded database, crops and snapshots."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least severity that is logged."
    )
    database: DatabaseSettings = Field(
        default_factory=DatabaseSettings, description="Where the catalog lives."
    )
    bundles: BundleSettings = Field(
        default_factory=BundleSettings, description="Which networks are served."
    )
    engine: EngineSettings = Field(
        default_factory=EngineSettings, description="What the networks run on."
    )
    batching: BatchingSettings = Field(
        default_factory=BatchingSettings, description="Sharing of the device."
    )
    index: IndexSettings = Field(default_factory=IndexSettings, description="The vector index.")
    decisions: DecisionSettings = Field(
        default_factory=DecisionSettings, description="Accept, review, unknown."
    )
    quality: QualitySettings = Field(
        default_factory=QualitySettings, description="Photos refused at enrolment."
    )
    http: HttpSettings = Field(default_factory=HttpSettings, description="The server.")
    limits: LimitSettings = Field(
        default_factory=LimitSettings, description="What one request may bring."
    )
    catalog: CatalogSettings = Field(
        default_factory=CatalogSettings, description="What holds for all products."
    )

    @property
    def embedded(self) -> bool:
        """True for the default database, a SQLite file that only this installation uses."""
        return self.database.url is None

    @property
    def database_url(self) -> str:
        """The URL in use; may hold a password, so never print it."""
        return self.database.url or f"sqlite:///{(self.data_dir / 'tillsight.db').as_posix()}"

    @property
    def crops_dir(self) -> Path:
        """Reference crops, named by their hash."""
        return self.data_dir / "crops"

    @property
    def snapshots_dir(self) -> Path:
        """Snapshots of the vector index; a cache that may be deleted."""
        return self.data_dir / "index"


def load(**values: Any) -> Settings:
    """Settings from the environment; `values` win. `BadSettings` names each wrong variable."""
    try:
        return Settings(**values)
    except ValidationError as exc:
        problems = [f"{variable(*map(str, e['loc']))}: {e['msg']}" for e in exc.errors()]
        raise BadSettings("; ".join(problems)) from None


def variable(*path: str) -> str:
    """Name of the environment variable of a setting: `("http", "port")` -> TILLSIGHT_HTTP__PORT."""
    return PREFIX + DELIMITER.join(path).upper()


def describe() -> Iterator[tuple[str, str, str]]:
    """Variable, default and description of every setting, for help texts and documentation."""
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, Group):
            for inner, spec in group.model_fields.items():
                yield variable(name, inner), _default(spec.default), spec.description or ""
        else:
            yield variable(name), _default(field.default), field.description or ""


def unknown_variables(environ: Mapping[str, str] | None = None) -> list[str]:
    """Variables with our prefix that no setting reads, each with the nearest known name.

    They are worth a warning and not an error: Kubernetes, for one, sets `TILLSIGHT_PORT` beside
    a service called tillsight.
    """
    known = {name for name, _, _ in describe()} | {variable(n) for n in Settings.model_fields}
    names = sorted(n.upper() for n in (os.environ if environ is None else environ))
    lines = []
    for name in (n for n in names if n.startswith(PREFIX) and n not in known):
        near = difflib.get_close_matches(name, known, n=1)
        lines.append(f"{name} is not a setting" + (f"; near: {near[0]}" if near else ""))
    return lines


def _default(value: Any) -> str:
    if isinstance(value, (str, int, float, Path)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "unset" if value is None else "shipped"
