"""The application: routes, middleware and what lives as long as it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import posology
from posology.service.api import (
    challengers,
    health,
    metrics,
    models,
    outcomes,
    recommendations,
)
from posology.service.cds_hooks import routes as cds_hooks
from posology.service.cds_hooks.cors import CdsHooksCors
from posology.service.deployment import Deployment, open_deployment
from posology.service.ehr.trust import with_record_system
from posology.service.ehr.views import add_record_system
from posology.service.fhir import routes as fhir
from posology.service.limits import LimitBodies
from posology.service.models.switching import start
from posology.service.pages.routes import add_pages
from posology.service.problems import add_problem_handlers
from posology.service.settings import Settings
from posology.service.smart import routes as smart
from posology.service.upkeep import keep_up
from posology.service.watching import WatchRequests


def create_app(settings: Settings, deployment: Deployment | None = None) -> FastAPI:
    """The service of these settings. Nothing is shared with another app.

    A deployment that is given is used and not closed; otherwise the app opens its own.
    """
    app = FastAPI(
        title="posology",
        version=posology.__version__,
        description="Advice on treatment for one patient. Supports a decision; makes none.",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a token is made for one exact address: /models/ is not /models
    )
    app.state.deployment = deployment or open_deployment(with_record_system(settings))
    app.state.owns_deployment = deployment is None
    add_problem_handlers(app)
    app.include_router(health.router)
    app.include_router(recommendations.router)
    app.include_router(cds_hooks.router)
    app.include_router(outcomes.router)
    app.include_router(models.router)
    app.include_router(challengers.router)
    app.include_router(metrics.router)
    add_pages(app)
    add_record_system(app)
    app.include_router(smart.router)
    app.include_router(fhir.router)
    app.add_middleware(LimitBodies, limits=settings.limits)
    app.add_middleware(CdsHooksCors, origins=app.state.deployment.settings.cds_hooks.origins)
    app.add_middleware(WatchRequests, deployment=app.state.deployment)  # the outermost

    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    deployment: Deployment = app.state.deployment
    await start(deployment)
    following = asyncio.create_task(keep_up(deployment))
    deployment.is_ready = True
    try:
        yield
    finally:
        following.cancel()
        if app.state.owns_deployment:
            await deployment.close()
