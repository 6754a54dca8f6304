"""`/models`: what is served, which version answered when, and the switches of administrators."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from posology.service.api.expected_outcomes import expected_outcomes
from posology.service.deployment import Deployment, get_deployment
from posology.service.identity import ADMINISTRATOR, Caller, require_caller
from posology.service.models import switching
from posology.service.models.challenging import settings_of
from posology.service.models.registered import check_is_changed_here
from posology.service.models.served import ServedModel, find_versions
from posology.service.store.clock import UtcMoment, now, to_text
from posology.service.store.served import changes_of, served_on

router = APIRouter(prefix="/models", tags=["models"])
Deployed = Annotated[Deployment, Depends(get_deployment)]
Anybody = Annotated[Caller, Depends(require_caller())]
Administrator = Annotated[Caller, Depends(require_caller(ADMINISTRATOR))]


class OutcomeCode(BaseModel):
    """A code under which `POST /outcomes` takes what became of a patient."""

    code: str = Field(description="Or a continuation of it after `//`.")
    title: str
    role: str = Field(description="outcome, harm, stopped, competing, end or forecast.")
    is_number: bool = Field(description="Otherwise an event: 1 or no value, or 0 for none.")
    unit: str
    least: float | None
    most: float | None


class Model(BaseModel):
    """One model as it is served now."""

    name: str
    title: str
    digest: str
    signed_by: str = Field(description="Name of the trusted key; empty: not signed.")
    golden_patients: int = Field(description="Answered bit for bit before it was served.")
    is_stopped: bool
    is_demo: bool
    outcomes: list[OutcomeCode] = Field(description="What `POST /outcomes` takes for this model.")
    challenger: str = Field("", description="Digest of the version that answers silently.")


class ModelChange(BaseModel):
    """One change of what is served."""

    at: str
    action: str
    digest: str


class History(BaseModel):
    """Which version answered from when; `served` is the one at the time of the query."""

    changes: list[ModelChange]
    versions: list[str] = Field(description="Digests of the versions that can be served.")
    served: str


class Reason(BaseModel):
    """Why a model is stopped or resumed."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=1000)


class Version(BaseModel):
    """The version to serve."""

    model_config = ConfigDict(extra="forbid")
    digest: str = Field(pattern="^[0-9a-f]{8,64}$", description="Its first characters.")


@router.get("")
async def list_models(_caller: Anybody, deployment: Deployed) -> list[Model]:
    """Every model that is served."""
    return [_describe(deployment, served) for served in deployment.models.current.values()]


@router.get("/{name}/history")
async def history(
    name: str,
    _caller: Anybody,
    deployment: Deployed,
    at: Annotated[UtcMoment | None, Query(description="By default now.")] = None,
) -> History:
    """Which version answered when."""
    deployment.models.find(name)
    changes = await deployment.store.read(changes_of, name)
    return History(
        changes=[ModelChange(at=since, action=c.action, digest=c.digest) for since, c in changes],
        versions=list(find_versions(settings_of(deployment, name))),
        served=await deployment.store.read(served_on, name, to_text(at or now())),
    )


@router.post("/{name}/stop")
async def stop(name: str, body: Reason, caller: Administrator, deployment: Deployed) -> Model:
    """The kill switch: the model gives no further answer."""
    await switching.stop(deployment, name, body.reason, caller.subject)
    return _describe(deployment, deployment.models.find(name))


@router.post("/{name}/resume")
async def resume(name: str, body: Reason, caller: Administrator, deployment: Deployed) -> Model:
    """Let a stopped model answer again."""
    await switching.resume(deployment, name, body.reason, caller.subject)
    return _describe(deployment, deployment.models.find(name))


@router.post("/{name}/swap")
async def swap(name: str, body: Version, caller: Administrator, deployment: Deployed) -> Model:
    """Serve another version; running questions are finished by the old one."""
    check_is_changed_here(deployment, name)
    served = await switching.swap(deployment, name, body.digest, caller.subject)
    return _describe(deployment, served)


@router.post("/{name}/rollback")
async def roll_back(name: str, caller: Administrator, deployment: Deployed) -> Model:
    """Serve the version before."""
    check_is_changed_here(deployment, name)
    served = await switching.roll_back(deployment, name, caller.subject)
    return _describe(deployment, served)


def _describe(deployment: Deployment, served: ServedModel) -> Model:
    challenger = deployment.models.challengers.get(served.name)
    return Model(
        name=served.name,
        title=served.artifact.study.title,
        digest=served.digest,
        signed_by=served.signed_by,
        golden_patients=served.golden,
        is_stopped=served.name in deployment.models.stopped,
        is_demo=deployment.settings.is_demo,
        outcomes=[OutcomeCode(**asdict(one)) for one in expected_outcomes(served.artifact.study)],
        challenger=challenger.digest if challenger else "",
    )
