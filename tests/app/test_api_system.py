"""Health, readiness, metrics, versions, request ids, logs, and a database that goes and returns."""

import json
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.engine import make_url

from app.logs import ACCESS, JsonFormatter, log_config
from app.main import create_app
from indexer.database import create_engine
from tests.app.api import assert_problem, detect, enroll
from tests.app.conftest import MakeClient
from tests.fakes import GREEN, RED, photo, services_for


def sample(page: str, name: str) -> float:
    """The value of one line of a metrics page."""
    [line] = [line for line in page.splitlines() if line.rsplit(" ", 1)[0] == name]
    return float(line.rsplit(" ", 1)[1])


def test_health_and_readiness(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    response = client.get("/readyz")
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["ready"] is True
    assert {"networks", "database", "schema", "index"} <= {c["name"] for c in body["checks"]}
    assert all(check["ok"] and check["detail"] for check in body["checks"])


def test_not_ready_before_the_start_and_after_the_stop(tmp_path: Path) -> None:
    app = create_app(services=services_for(tmp_path))
    client = TestClient(app)
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert client.get("/readyz").headers["retry-after"]
    response = detect(client, photo(RED))
    assert_problem(response, 503, "not_ready")
    assert response.headers["retry-after"]
    assert client.get("/metrics").status_code == 200
    with client:
        assert client.get("/readyz").status_code == 200
    assert client.get("/readyz").status_code == 503


def test_readiness_is_red_while_the_index_is_of_the_wrong_size(lite: TestClient) -> None:
    enroll(lite)
    projection = lite.app.state.services.projection  # type: ignore[attr-defined]
    [view] = lite.get("/products/A/views").json()["items"]
    projection._state.index.drop(np.array([view["id"]]))
    response = lite.get("/readyz")
    assert response.status_code == 503
    assert [c["name"] for c in response.json()["checks"] if not c["ok"]] == ["index"]


def test_version(lite: TestClient) -> None:
    body = lite.get("/version").json()
    assert body["version"]
    assert body["models"]["space"] == "fake000000000000"
    assert body["schema_revision"]


def test_metrics(lite: TestClient) -> None:
    enroll(lite)
    detect(lite, photo(RED))
    detect(lite, photo(GREEN))
    detect(lite, b"no")
    lite.get("/products/A")
    lite.get("/nowhere/1")
    lite.get("/nowhere/2")
    response = lite.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    page = response.text
    requests = "tillsight_http_requests_total"
    assert sample(page, f'{requests}{{method="POST",route="/detect",status="200"}}') == 2
    assert sample(page, f'{requests}{{method="POST",route="/detect",status="422"}}') == 1
    assert sample(page, f'{requests}{{method="GET",route="unmatched",status="404"}}') == 2
    assert 'route="/products/{sku' in page
    assert sample(page, 'tillsight_decisions_total{decision="accept"}') == 1
    assert sample(page, 'tillsight_decisions_total{decision="unknown"}') == 1
    assert sample(page, 'tillsight_stage_seconds_count{stage="embed"}') == 2
    assert sample(page, "tillsight_views_enrolled_total") == 1
    assert sample(page, "tillsight_index_views") == 1
    assert sample(page, "tillsight_index_lag") == 0
    assert sample(page, "tillsight_queue_depth") == 0
    assert sample(page, "tillsight_database_up") == 1


def test_batch_sizes_are_counted(tmp_path: Path) -> None:
    app = create_app(services=services_for(tmp_path))
    app.state.metrics.batch("detector", 3)
    page = app.state.metrics.render().decode()
    assert sample(page, 'tillsight_batch_size_sum{network="detector"}') == 3


def test_two_applications_have_metrics_of_their_own(make_client: MakeClient) -> None:
    first, second = make_client(), make_client()
    first.get("/healthz")
    assert 'route="/healthz"' in first.get("/metrics").text
    assert 'route="/healthz"' not in second.get("/metrics").text


@pytest.mark.parametrize("given", ["abc-123", "4bf92f3577b34da6/00f067aa", "x" * 128])
def test_a_request_id_is_kept(lite: TestClient, given: str) -> None:
    response = lite.get("/products/B", headers={"X-Request-Id": given})
    assert response.headers["x-request-id"] == given
    assert response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\tb", '"quoted"'])
def test_an_odd_request_id_is_replaced(lite: TestClient, given: str) -> None:
    response = lite.get("/healthz", headers={"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


def test_one_log_line_per_request(lite: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, ACCESS)
    enroll(lite)
    caplog.clear()
    response = detect(lite, photo(RED))
    [record] = [r for r in caplog.records if r.name == ACCESS]
    line = json.loads(JsonFormatter().format(record))
    assert line["request_id"] == response.headers["x-request-id"]
    assert (line["method"], line["path"], line["route"]) == ("POST", "/detect", "/detect")
    assert (line["status"], line["level"]) == (200, "info")
    assert line["bytes_in"] == len(photo(RED))
    assert line["bytes_out"] == len(response.content)
    assert line["ms"] > 0
    assert (line["objects"], line["needs_attention"]) == (1, 0)
    caplog.clear()
    lite.get("/products/B%0A")
    lite.get("/healthz")
    [record] = [r for r in caplog.records if r.name == ACCESS]
    text_line = JsonFormatter().format(record)
    assert "\n" not in text_line
    assert json.loads(text_line)["code"] == "product_not_found"


def test_logs_are_configured_as_json() -> None:
    config = log_config("debug")
    assert config["root"]["level"] == "DEBUG"
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "bad %s", ("day",), None)
    assert json.loads(JsonFormatter().format(record))["message"] == "bad day"


def test_unknown_addresses_and_methods(lite: TestClient) -> None:
    assert_problem(lite.get("/nowhere"), 404, "not_found")
    response = lite.put("/detect")
    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_a_broken_snapshot_is_ignored(tmp_path: Path) -> None:
    with TestClient(create_app(services=services_for(tmp_path))) as client:
        enroll(client)
        client.app.state.services.projection.snapshot()  # type: ignore[attr-defined]
    files = [p for p in (tmp_path / "index").rglob("*") if p.is_file()]
    assert files
    for file in files:
        file.write_bytes(b"broken")
    with TestClient(create_app(services=services_for(tmp_path))) as client:
        assert client.get("/readyz").status_code == 200
        assert detect(client, photo(RED)).json()["items"][0]["sku"] == "A"


def test_an_overloaded_queue_says_when_to_come_back(
    lite: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.errors import Overloaded

    def full(*_: object, **__: object) -> None:
        raise Overloaded(64, 64, 2.4)

    detector = lite.app.state.services.networks.detector  # type: ignore[attr-defined]
    monkeypatch.setattr(detector, "detect", full)
    response = detect(lite, photo(RED))
    assert_problem(response, 503, "overloaded")
    assert int(response.headers["retry-after"]) >= 1
    files = [("images", ("x", photo(RED)))] * 2
    assert_problem(lite.post("/detect/batch", files=files), 503, "overloaded")


@contextmanager
def database_gone(url: str) -> Iterator[None]:
    """Nobody can use the database: its folder is away, or its server refuses connections."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        folder = Path(parsed.database or "").parent
        away = folder.with_name("away")
        folder.rename(away)
        folder.touch()
        yield
        folder.unlink()
        away.rename(folder)
        return
    admin = create_engine(parsed.set(database="postgres").render_as_string(False))
    with admin.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        allow = f'ALTER DATABASE "{parsed.database}" WITH ALLOW_CONNECTIONS'
        connection.execute(text(f"{allow} false"))
        connection.execute(
            text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = :d"),
            {"d": parsed.database},
        )
        try:
            yield
        finally:
            connection.execute(text(f"{allow} true"))
    admin.dispose()


def test_the_database_goes_and_comes_back(client: TestClient, database_url: str) -> None:
    enroll(client)
    services = client.app.state.services  # type: ignore[attr-defined]
    services.projection.catch_up()
    with database_gone(database_url):
        if database_url.startswith("sqlite"):
            services._database.dispose()  # an open file would stay usable
        for response in (
            detect(client, photo(RED)),
            enroll(client, "B", photo(GREEN)),
            client.get("/products"),
            client.get("/products.csv"),
            client.delete("/products/A"),
            client.post("/detect/batch", files={"images": ("x", photo(RED))}),
        ):
            assert_problem(response, 503, "database_unavailable")
            assert int(response.headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert "database" in [c["name"] for c in ready.json()["checks"] if not c["ok"]]
        assert sample(client.get("/metrics").text, "tillsight_database_up") == 0
    assert detect(client, photo(RED)).json()["items"][0]["sku"] == "A"
    assert_problem(client.get("/products/B"), 404, "product_not_found")
    assert enroll(client, "B", photo(GREEN)).status_code == 201
    deadline = time.monotonic() + 30  # the tail waits a little longer after each failure
    while client.get("/readyz").status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert client.get("/readyz").status_code == 200
