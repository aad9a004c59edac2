"""Whether the server lives, is ready, what it measures and what it is."""

import platform
from importlib import metadata

from fastapi import APIRouter, Request, Response

from app import answers
from app.metrics import CONTENT_TYPE
from app.routes.common import NO_QUERY, InService, Measured, json_answer
from app.routes.problems import documented
from app.schemas import CheckAnswer, Health, Ready, Version
from migrations import schema

router = APIRouter(tags=["system"], dependencies=[NO_QUERY], responses=documented(422))


@router.get("/healthz", response_model=Health, summary="The process is alive")
async def healthz() -> Response:
    """Green as long as the process answers at all; asks neither database nor networks."""
    return json_answer(Health())


@router.get(
    "/readyz",
    response_model=Ready,
    summary="The service can answer well",
    responses={503: {"model": Ready, "description": "Some check is red"}},
)
def readyz(request: Request) -> Response:
    """Warm, database reachable, schema current, index not behind and of the right size."""
    services = request.app.state.services
    if services is None:
        checks = [CheckAnswer(name="started", ok=False, detail="starting or stopping")]
    else:
        found = services.readiness()
        checks = [CheckAnswer(name=c.name, ok=c.ok, detail=c.detail) for c in found]
    ready = all(check.ok for check in checks)
    headers = {"Cache-Control": "no-store", **({} if ready else {"Retry-After": "2"})}
    return json_answer(Ready(ready=ready, checks=checks), 200 if ready else 503, headers)


@router.get(
    "/metrics",
    response_class=Response,
    summary="Prometheus metrics",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(measured: Measured) -> Response:
    """Requests, stage latencies, queue depth, batch size, decisions, index size and lag."""
    return Response(measured.render(), headers={"Content-Type": CONTENT_TYPE})


@router.get("/version", response_model=Version, summary="What runs here", responses=documented(503))
def version(services: InService) -> Response:
    """Versions of the program, its networks, the schema and the index."""
    engines = services.networks.engines
    return json_answer(
        Version(
            version=package_version(),
            python=platform.python_version(),
            models=answers.model_names(services.recognizer.models),
            engine=f"{engines[0].name} on {engines[0].device}" if engines else None,
            schema_revision=schema.head_revision(),
            index_revision=services.projection.revision,
        )
    )


def package_version() -> str:
    """Version of the installed package."""
    try:
        return metadata.version("tillsight")
    except metadata.PackageNotFoundError:  # run from a checkout
        return "0+checkout"
