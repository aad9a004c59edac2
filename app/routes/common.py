"""What the routes share: the services of the application, answers as JSON, query checks.

Dependencies are coroutines: FastAPI sends each plain function to the thread pool, and several
such round trips cost more than the rest of HTTP.
"""

import logging
from typing import Annotated, cast

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel

from app.errors import NotReady
from app.metrics import Metrics
from app.routes.problems import request_id_of
from app.schemas import NoQuery
from app.services import Services
from indexer.errors import IndexerError

log = logging.getLogger(__name__)


async def services_of(request: Request) -> Services:
    """The services of this application; NotReady before the start and after the stop."""
    services = cast(Services | None, request.app.state.services)
    if services is None:
        raise NotReady("the service is starting or stopping")
    return services


async def metrics_of(request: Request) -> Metrics:
    """The metrics of this application."""
    return cast(Metrics, request.app.state.metrics)


async def request_id(request: Request) -> str:
    """The id of this request."""
    return request_id_of(request)


async def no_query(_: Annotated[NoQuery, Query()]) -> None:
    """Refuses every query parameter."""


def json_answer(
    body: BaseModel, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A model as JSON; made in the worker thread, so that the event loop stays free."""
    return Response(body.model_dump_json(), status, headers, "application/json")


def note(request: Request, **fields: object) -> None:
    """Add fields to the log line of this request."""
    request.scope["state"].setdefault("log", {}).update(fields)


def follow(services: Services, revision: int) -> None:
    """Bring this process's index to a revision that was just committed.

    A failure is only logged: the change is stored, and the tail tries again.
    """
    try:
        services.projection.catch_up(at_least=revision)
    except IndexerError:
        log.warning("the index did not reach revision %d at once", revision, exc_info=True)


InService = Annotated[Services, Depends(services_of)]
Measured = Annotated[Metrics, Depends(metrics_of)]
RequestId = Annotated[str, Depends(request_id)]
NO_QUERY = Depends(no_query)
