"""The HTTP application: `create_app` joins routes, middleware, errors and metrics.

uvicorn --factory app.main:create_app        or simply        tillsight serve
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import settings as app_settings
from app.errors import AppError
from app.metrics import Metrics
from app.middleware import RequestContext
from app.readings import read_gauges
from app.routes import catalog, enroll, imports, recognition, system
from app.routes.problems import respond
from app.services import Services, build
from app.settings import Settings
from indexer.errors import IndexerError
from models.errors import ModelsError

DESCRIPTION = """
Photo of a tray in, named and priced items out. Enroll a product with a few photos, and the very
next `/detect` finds it.

Prices are decimal strings in the one currency of the installation. Boxes are `[x1,y1,x2,y2]` in
pixels of the upright image. Every error is an `application/problem+json` with a stable `code`.
"""
HANDLED = (AppError, IndexerError, ModelsError, HTTPException, RequestValidationError)


def create_app(settings: Settings | None = None, services: Services | None = None) -> FastAPI:
    """The application. Its services start with it and close with it.

    Args:
        settings: read from the environment if not given.
        services: built, but not started; built from `settings` if not given.
    """
    settings = services.settings if services else settings or app_settings.load()

    def gauges() -> dict[str, float]:
        return read_gauges(app.state.services)

    metrics = Metrics(gauges)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.http.workers
        running = services
        if running is None:
            running = await anyio.to_thread.run_sync(build, settings, metrics.batch)
        try:
            await anyio.to_thread.run_sync(running.start)
            app.state.services = running
            yield
        finally:
            app.state.services = None
            await anyio.to_thread.run_sync(running.close)

    app = FastAPI(
        title="Tillsight",
        version=system.package_version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        root_path=settings.http.root_path,
        redirect_slashes=False,
    )
    app.state.services, app.state.metrics = None, metrics
    for kind in HANDLED:
        app.add_exception_handler(kind, respond)
    for part in (recognition, enroll, imports, catalog, system):
        app.include_router(part.router)
    app.add_middleware(
        RequestContext,
        metrics=metrics,
        max_body_bytes=settings.limits.max_request_bytes,
        respond=respond,
    )
    return app
