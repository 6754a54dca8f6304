"""`/models/NAME/challenger`: the version that answers silently, how it compares, its switches."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from posology.service.api.models import Administrator, Deployed, Reason, Version
from posology.service.deployment import Deployment
from posology.service.identity import ADMINISTRATOR, DATA_SCIENTIST, Caller, require_caller
from posology.service.models.challenging import drop_challenger, set_challenger
from posology.service.models.registered import check_is_changed_here
from posology.service.shadow.comparison import Comparison, compare

router = APIRouter(prefix="/models", tags=["models"])
Reader = Annotated[Caller, Depends(require_caller(DATA_SCIENTIST, ADMINISTRATOR))]


class Challenger(BaseModel):
    """A challenger: nobody is shown what it answers."""

    digest: str = Field(description="Empty: the model has none.")
    signed_by: str = Field("", description="Name of the trusted key; empty: not signed.")
    golden_patients: int = Field(0, description="Answered bit for bit before it gets questions.")
    comparison: Comparison | None = None


@router.get("/{name}/challenger")
async def read(name: str, _caller: Reader, deployment: Deployed) -> Challenger:
    """How the challenger compares with the model in use, as far as it is known. No verdict."""
    return await _describe(deployment, name)


@router.post("/{name}/challenger")
async def set_(name: str, body: Version, caller: Administrator, deployment: Deployed) -> Challenger:
    """Ask this version too, after each answer; one that was set before gets no more."""
    check_is_changed_here(deployment, name)
    await set_challenger(deployment, name, body.digest, caller.subject)
    return await _describe(deployment, name)


@router.post("/{name}/challenger/drop")
async def drop(name: str, body: Reason, caller: Administrator, deployment: Deployed) -> Challenger:
    """Ask the challenger no more."""
    check_is_changed_here(deployment, name)
    await drop_challenger(deployment, name, body.reason, caller.subject)
    return await _describe(deployment, name)


async def _describe(deployment: Deployment, name: str) -> Challenger:
    champion, challenger = deployment.models.find(name), deployment.models.challengers.get(name)
    if challenger is None:
        return Challenger(digest="")
    comparison = await asyncio.to_thread(compare, deployment, champion, challenger)
    return Challenger(
        digest=challenger.digest,
        signed_by=challenger.signed_by,
        golden_patients=challenger.golden,
        comparison=comparison,
    )
