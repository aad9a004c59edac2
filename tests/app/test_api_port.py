"""The API over a real port: a server process, sockets, many clients, clients that misbehave."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.fakes import BLUE, GREEN, RED, photo

ROOT = Path(__file__).parents[2]
LIMIT = 2**20


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server") / "log"


@pytest.fixture(scope="module")
def server(log: Path) -> Iterator[httpx.Client]:
    """A client of a server process with the fake networks."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {
        **os.environ,
        "TILLSIGHT_DATA_DIR": str(log.parent / "data"),
        "TILLSIGHT_LIMITS__MAX_REQUEST_BYTES": str(LIMIT),
    }
    command = [sys.executable, "-m", "tests.app.fake_command", "serve", "--port", str(port)]
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, cwd=ROOT, env=environment, stderr=stderr) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        try:
            _wait(client, process)
            yield client
        finally:
            process.terminate()
            process.wait(60)


def _wait(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        assert process.poll() is None
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError("the server did not become ready")


def detect(client: httpx.Client, data: bytes) -> httpx.Response:
    return client.post("/detect", content=data, headers={"content-type": "image/png"})


def test_enroll_then_detect_from_many_clients(server: httpx.Client) -> None:
    shop = {"R": RED, "G": GREEN, "B": BLUE}
    for sku, colour in shop.items():
        data = {"sku": sku, "name": sku, "price": "1.00"}
        response = server.post("/enroll", data=data, files={"images": ("x.png", photo(colour))})
        assert response.status_code == 201, response.text
    work = list(shop.items()) * 10
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda pair: detect(server, photo(pair[1])), work))
    assert [a.json()["items"][0]["sku"] for a in answers] == [sku for sku, _ in work]
    assert len({a.headers["x-request-id"] for a in answers}) == len(work)


def test_a_body_over_the_limit_is_refused_and_the_server_lives_on(server: httpx.Client) -> None:
    headers = {"content-type": "image/png"}
    for content in (b"0" * 8 * LIMIT, iter([b"0" * LIMIT] * 8)):
        response = server.post("/detect", content=content, headers=headers)
        assert (response.status_code, response.json()["code"]) == (413, "upload_too_large")
    assert server.get("/healthz").status_code == 200


def test_the_limit_counts_before_the_body_is_sent(server: httpx.Client) -> None:
    with _connected(server) as connection:
        connection.sendall(
            b"POST /detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
            b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_client_that_goes_away_is_logged_and_harmless(server: httpx.Client, log: Path) -> None:
    with _connected(server) as connection:
        connection.sendall(
            b"POST /detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
            b"X-Request-Id: gone\r\nContent-Length: 1000\r\n\r\nonly this"
        )
        time.sleep(0.2)
    for _ in range(100):
        gone = [line for line in _lines(log) if line.get("request_id") == "gone"]
        if gone:
            break
        time.sleep(0.1)
    assert [line["status"] for line in gone] == [499]
    assert server.get("/healthz").status_code == 200


def test_the_log_is_json_with_one_line_per_request(server: httpx.Client, log: Path) -> None:
    server.get("/products/none", headers={"x-request-id": "find-me"})
    for _ in range(50):
        found = [line for line in _lines(log) if line.get("request_id") == "find-me"]
        if found:
            break
        time.sleep(0.1)
    [line] = found
    assert (line["status"], line["code"]) == (404, "product_not_found")
    assert not [line for line in _lines(log) if "traceback" in line]


def _connected(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=30)


def _lines(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]
