"""Runs commands in this process, on the fake networks and a data directory of their own."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import app.cli
from app.services import Services
from app.settings import Settings
from tests.fakes import fake_networks

runner = CliRunner()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of its own, wide tables, and the fake networks."""

    def build(settings: Settings, on_batch: object = None) -> Services:
        return Services(settings, fake_networks())

    monkeypatch.setenv("TILLSIGHT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("app.services.build", build)
    return tmp_path


def run(*arguments: str | Path, expect: int = 0, input: str | None = None) -> Result:
    result = runner.invoke(app.cli.app, [str(a) for a in arguments], input=input)
    assert result.exit_code == expect, result.output
    return result


def save(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def json_lines(result: Result) -> list[Any]:
    """The values that a command with `--json` has printed, one a line."""
    return [json.loads(line) for line in result.stdout.splitlines()]
