"""`serve` and `demo` as real processes on a real port."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
WAIT_S = 120


@contextmanager
def process(home: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command, with its logs in `home/log`; interrupted at the end."""
    values = {**os.environ, "TILLSIGHT_DATA_DIR": str(home / "data"), **environment}
    with (
        (home / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.app.fake_command", *arguments],
            cwd=ROOT,
            env=values,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as running,
    ):
        try:
            yield running
        finally:
            running.send_signal(signal.SIGINT)
            try:
                running.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                running.kill()


def log_lines(home: Path) -> list[str]:
    return (home / "log").read_text().splitlines()


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def wait_until_ready(url: str) -> dict[str, object]:
    for _ in range(WAIT_S * 10):
        try:
            return dict(httpx.get(f"{url}/readyz", timeout=5).json())
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(url)


def test_serve_logs_json_and_ends_on_interrupt(tmp_path: Path, free_port: int) -> None:
    with process(tmp_path, "serve", "--port", str(free_port)) as running:
        url = f"http://127.0.0.1:{free_port}"
        assert wait_until_ready(url)["ready"]
        assert httpx.get(f"{url}/products").status_code == 200
    assert running.returncode == 130
    lines = [json.loads(line) for line in log_lines(tmp_path)]
    assert any(line.get("path") == "/products" for line in lines)


def test_a_taken_port_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with process(tmp_path, "serve", "--port", port) as running:
            running.wait(WAIT_S)
    assert running.returncode == 3
    [line] = log_lines(tmp_path)
    assert f"127.0.0.1:{port}" in line and "[cannot_listen]" in line


def test_a_start_that_fails_ends_in_one_plain_line(tmp_path: Path) -> None:
    url = "postgresql://nobody:secret@127.0.0.1:1/nothing"
    with process(tmp_path, "serve", "--port", "0", TILLSIGHT_DATABASE__URL=url) as running:
        running.wait(WAIT_S)
    assert running.returncode == 3
    text = (tmp_path / "log").read_text()
    assert log_lines(tmp_path)[-1].endswith("[database_unavailable]")
    assert "Traceback" not in text and "secret" not in text


@pytest.mark.slow
def test_the_printed_demo_commands_work(tmp_path: Path) -> None:
    with process(tmp_path, "demo", "--port", "0") as running:
        assert running.stdout is not None
        commands = []
        while len(commands) < 3:
            line = running.stdout.readline()
            assert line, (tmp_path / "log").read_text()
            if line.startswith("curl"):
                commands.append(line)
        codes = [post(line) for line in commands]
    assert [status for status, _ in codes] == [200, 201, 200]
    assert codes[1][1]["product"]["views"] == 3
    assert codes[2][1]["index_revision"] >= codes[1][1]["index_revision"]


def post(command: str) -> tuple[int, dict[str, object]]:
    """What `curl -s -F ... URL` does."""
    parts = shlex.split(command)
    assert parts[:2] == ["curl", "-s"]
    fields = [parts[k + 1].partition("=") for k in range(len(parts)) if parts[k] == "-F"]
    data = {name: value for name, _, value in fields if not value.startswith("@")}
    files = [
        (name, (Path(value[1:]).name, Path(value[1:]).read_bytes(), "image/jpeg"))
        for name, _, value in fields
        if value.startswith("@")
    ]
    response = httpx.post(parts[-1], data=data, files=files, timeout=60)
    return response.status_code, response.json()
