"""`/metrics` for Prometheus: for this machine, or for who has the token of the settings."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from posology.service.deployment import Deployment, get_deployment
from posology.service.errors import NotSignedInError

router = APIRouter(tags=["health"])
_LOOPBACK = ("127.0.0.1", "::1")
_FORWARDED = ("forwarded", "x-forwarded-for")


@router.get("/metrics")
async def metrics(
    request: Request, deployment: Annotated[Deployment, Depends(get_deployment)]
) -> Response:
    """Counts and times of this service."""
    if not _is_allowed(request, deployment.settings.metrics_token):
        raise NotSignedInError("Send the bearer token that the settings name as metrics_token.")
    deployment.metrics.running.set(deployment.workers.running)
    return Response(deployment.metrics.render(), media_type="text/plain; version=0.0.4")


def _is_allowed(request: Request, token: str) -> bool:
    if token:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    is_forwarded = any(name in request.headers for name in _FORWARDED)
    return request.client is not None and request.client.host in _LOOPBACK and not is_forwarded
