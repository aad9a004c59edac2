"""An application with the fake networks, behind a test client."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from migrations import schema
from tests.fakes import services_for

MakeClient = Callable[..., TestClient]


@pytest.fixture
def client(tmp_path: Path, database_url: str) -> Iterator[TestClient]:
    """A running application on each of both databases, empty."""
    schema.upgrade(database_url)
    services = services_for(tmp_path, database={"url": database_url})
    with TestClient(create_app(services=services)) as client:
        yield client


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[MakeClient]:
    """Starts applications on the embedded database, with any settings."""
    with ExitStack() as stack:

        def make(**values: Any) -> TestClient:
            services = services_for(tmp_path, **values)
            return stack.enter_context(TestClient(create_app(services=services)))

        yield make


@pytest.fixture(params=["embedded", "postgresql"])
def lite(request: pytest.FixtureRequest, make_client: MakeClient) -> TestClient:
    """A running application, empty, on the embedded database and on PostgreSQL."""
    if request.param == "embedded":
        return make_client()
    url = request.getfixturevalue("empty_postgres_url")
    schema.upgrade(url)
    return make_client(database={"url": url})
