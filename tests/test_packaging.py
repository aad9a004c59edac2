"""Dockerfile and compose file: consistent with each other and with the tree.

No container engine is needed: the files are parsed, and the install commands of the cpu target
are replayed in a clean environment.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent


@dataclass
class Stage:
    """One FROM with its instructions in order."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        return [rest for word, rest in self.steps if word == keyword]

    def last(self, keyword: str) -> str:
        return self.all(keyword)[-1]


def dockerfile() -> dict[str, Stage]:
    lines = [
        line
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    stages: dict[str, Stage] = {}
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "FROM":
            base, _, name = rest.partition(" AS ")
            current = stages[name] = Stage(base, name)
        else:
            current.steps.append((keyword, rest.strip()))
    return stages


STAGES = dockerfile()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def copied(stage: Stage) -> Iterator[tuple[list[str], str]]:
    """(sources, destination) of every COPY from the build context."""
    for rest in stage.all("COPY"):
        if not rest.startswith("--from="):
            *sources, destination = rest.split()
            yield sources, destination


def sent(path: str) -> bool:
    """Whether .dockerignore lets `path` into the build context."""
    rules = [r for r in (ROOT / ".dockerignore").read_text().split("\n") if r and r[0] != "#"]
    allowed = True
    for rule in rules:
        pattern = rule.removeprefix("!").removeprefix("**/")
        parts = [path, *(str(p) for p in Path(path).parents), Path(path).name]
        if any(fnmatch.fnmatch(part, pattern) for part in parts if part != "."):
            allowed = rule.startswith("!")
    return allowed


@pytest.mark.parametrize("target", ["cpu", "cuda"])
class TestTarget:
    def test_runs_as_nobody_special(self, target: str) -> None:
        stage = STAGES[target]
        assert stage.last("USER") == "tillsight"
        assert stage.steps[-1][0] in ("CMD", "ENTRYPOINT")
        assert any("useradd" in run for run in stage.all("RUN"))

    def test_health_is_asked_with_python(self, target: str) -> None:
        health = STAGES[target].last("HEALTHCHECK")
        command = json.loads(health[health.index("[") :])
        assert command[0] == "python"
        assert "/healthz" in command[2]
        compile(command[2], "healthcheck", "exec")

    def test_nothing_that_builds_is_left(self, target: str) -> None:
        stage = STAGES[target]
        installed = " ".join(stage.all("RUN"))
        for tool in ("gcc", "build-essential", "python3-pip", "pip install", "git"):
            assert tool not in installed
        assert stage.all("COPY") == [f"--from=build-{target} /opt/venv /opt/venv"]
        assert STAGES[f"build-{target}"].base == stage.base

    def test_is_installed_from_its_lock(self, target: str) -> None:
        runs = STAGES[f"build-{target}"].all("RUN")
        [locked] = [run for run in runs if "--require-hashes" in run]
        assert f"-r requirements/{target}.txt" in locked
        assert any("--no-deps ." in run for run in runs)

    def test_what_it_copies_exists_and_is_sent(self, target: str) -> None:
        sources = [s for group, _ in copied(STAGES[f"build-{target}"]) for s in group]
        assert {"app", "models", "indexer", "migrations", "pyproject.toml"} <= set(sources)
        for source in sources:
            assert (ROOT / source).exists(), source
            assert sent(source), f".dockerignore keeps {source} out"

    def test_keeps_its_data_on_a_volume(self, target: str) -> None:
        stage = STAGES[target]
        assert stage.all("VOLUME") == ["/data"]
        assert "TILLSIGHT_DATA_DIR=/data" in stage.last("ENV")
        assert "TILLSIGHT_HTTP__HOST=0.0.0.0" in stage.last("ENV")


def test_the_context_holds_no_data_and_no_tests() -> None:
    for path in ("data/tillsight.db", ".venv/bin/python", "tests/fakes.py", ".git/HEAD", ".env"):
        assert not sent(path), path
    assert sent("models/weights/kiosk-detector/model.xml")
    assert not sent("app/__pycache__/main.cpython-311.pyc")


def test_settings_in_images_and_compose_exist() -> None:
    from app.settings import describe

    known = {name for name, _, _ in describe()}
    text = (ROOT / "Dockerfile").read_text() + (ROOT / "docker-compose.yml").read_text()
    used = set(re.findall(r"TILLSIGHT_[A-Z_]+", text))
    assert used and used <= known, used - known


class TestCompose:
    def test_api_runs_under_one_profile_each(self) -> None:
        assert SERVICES["api-cpu"]["profiles"] == ["cpu"]
        assert SERVICES["api-gpu"]["profiles"] == ["gpu"]
        assert "profiles" not in SERVICES["db"] and "profiles" not in SERVICES["migrate"]

    def test_builds_targets_that_exist(self) -> None:
        targets = {name: s["build"]["target"] for name, s in SERVICES.items() if "build" in s}
        assert targets == {"migrate": "cpu", "api-cpu": "cpu", "api-gpu": "cuda"}
        assert set(targets.values()) <= set(STAGES)

    def test_gpu_is_reserved(self) -> None:
        reserved = SERVICES["api-gpu"]["deploy"]["resources"]["reservations"]["devices"]
        assert reserved == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
        assert "deploy" not in SERVICES["api-cpu"]

    @pytest.mark.parametrize("name", ["api-cpu", "api-gpu"])
    def test_api_waits_for_the_migration(self, name: str) -> None:
        waits = SERVICES[name]["depends_on"]
        assert waits["migrate"]["condition"] == "service_completed_successfully"
        assert waits["db"]["condition"] == "service_healthy"
        assert "data:/data" in SERVICES[name]["volumes"]
        assert "TILLSIGHT_DATABASE__URL" in SERVICES[name]["environment"]

    def test_migration_runs_once_with_a_command_that_exists(self) -> None:
        migrate = SERVICES["migrate"]
        assert migrate["restart"] == "no"
        assert migrate["depends_on"]["db"]["condition"] == "service_healthy"
        command = [sys.executable, "-c", "from app.cli import main; main()", *migrate["command"]]
        subprocess.run([*command, "--help"], cwd=ROOT, check=True, capture_output=True)

    def test_database_is_kept_and_watched(self) -> None:
        db = SERVICES["db"]
        assert "pg_isready" in db["healthcheck"]["test"][1]
        assert any(v.startswith("database:") for v in db["volumes"])
        assert "ports" not in db

    def test_volumes_are_declared(self) -> None:
        used = {v.partition(":")[0] for s in SERVICES.values() for v in s.get("volumes", ())}
        assert used == set(COMPOSE["volumes"])

    def test_there_is_no_default_password(self) -> None:
        text = (ROOT / "docker-compose.yml").read_text()
        uses = re.findall(r"\$\{POSTGRES_PASSWORD[^}]*\}", text)
        assert uses and all(":?" in use for use in uses)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_cpu_image_installs_in_a_clean_environment(tmp_path: Path) -> None:
    """The RUN lines of the stage, with its two folders moved below a temporary one."""
    source, environment = tmp_path / "src", tmp_path / "venv"
    source.mkdir()
    stage = STAGES["build-cpu"]
    for sources, destination in copied(stage):
        for name in sources:
            target = source / (name if destination == "./" else destination)
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, target)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TILLSIGHT_", "PYTHON"))}
    for run in stage.all("RUN"):
        command = run.replace("/opt/venv", shlex.quote(str(environment)))
        subprocess.run(["sh", "-ec", command], cwd=source, env={**clean, "PATH": path}, check=True)

    def inside(*command: str) -> str:
        values = {**clean, "TILLSIGHT_DATA_DIR": str(tmp_path / "data")}
        program = str(environment / "bin" / command[0])
        found = subprocess.run(
            [program, *command[1:]], cwd=tmp_path, env=values, capture_output=True, text=True
        )
        assert found.returncode == 0, found.stderr
        return found.stdout

    installed = {p.name.split("-")[0].lower() for p in environment.glob("lib/*/site-packages/*")}
    assert {"app", "models", "indexer", "migrations", "openvino", "faiss"} <= installed
    assert not installed & {"pip", "torch", "torchvision", "lightning", "tests"}
    inside("python", "-c", "import app.main")
    assert "serve" in inside("tillsight", "--help")
    assert "upgraded" in inside("tillsight", "db", "upgrade")
    [models] = environment.glob("lib/*/site-packages/models")
    shipped = {p.name for p in (ROOT / "models" / "weights").glob("*/*")}
    assert {p.name for p in (models / "weights").glob("*/*")} == shipped
