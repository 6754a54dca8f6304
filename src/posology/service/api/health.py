"""Whether the service runs, and whether it can answer. Open to everybody: neither names a model."""

from typing import Annotated

from fastapi import APIRouter, Depends

from posology.service.deployment import Deployment, get_deployment
from posology.service.errors import NotReadyError

router = APIRouter(tags=["health"])


@router.head("/health", include_in_schema=False)
@router.get("/health")
async def health() -> dict[str, str]:
    """The process runs: restart it if this does not answer."""
    return {"status": "ok"}


@router.head("/ready", include_in_schema=False)
@router.get("/ready")
async def ready(deployment: Annotated[Deployment, Depends(get_deployment)]) -> dict[str, str]:
    """Models are loaded and checked and the store is open: send requests only while this is so."""
    if deployment.is_ending or not deployment.is_ready:
        raise NotReadyError("The service starts or ends.")
    if deployment.is_store_away:
        raise NotReadyError("The service's database does not answer.")
    return {"status": "ready"}
