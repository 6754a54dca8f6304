"""The caller of a request, found by the functions that the deployment holds; refused by default."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from starlette.requests import Request

from posology.language.catalogue import deferred, tr
from posology.service.errors import NotAllowedError, NotSignedInError

CLINICIAN, DATA_SCIENTIST, ADMINISTRATOR = "clinician", "data_scientist", "administrator"
ROLES = (CLINICIAN, DATA_SCIENTIST, ADMINISTRATOR)
_SYSTEM = "Sign the request with a token of a system that the service's settings name."
_PERSON = deferred("Sign in.")


@dataclass(frozen=True, slots=True)
class Caller:
    """A person or a system that is known."""

    subject: str
    """Opaque id: a person's number, or the issuer of a system's tokens."""
    kind: Literal["person", "system"]
    roles: tuple[str, ...] = ()
    """Of a person, some of ROLES; of a system, the roles that settings give it."""
    name: str = ""
    """Shown to the person; never logged, never in the audit log."""


Identify: TypeAlias = Callable[[Request], Awaitable[Caller | None]]
"""The caller of a request, or None; ServiceError if what was sent to prove it is wrong."""


async def nobody(_request: Request) -> None:
    """The identity of a service without sign-in: refuses everybody."""
    return


async def require_system(request: Request) -> Caller:
    """The system that calls; NotSignedInError without one. A FastAPI dependency."""
    caller = await request.app.state.deployment.identify_system(request)
    if caller is None:
        raise NotSignedInError(_SYSTEM)
    request.state.caller = caller
    return caller


def require_person(*roles: str) -> Callable[[Request], Awaitable[Caller]]:
    """A FastAPI dependency: the person who calls, in one of these roles (any, if none)."""

    async def require(request: Request) -> Caller:
        caller = await request.app.state.deployment.identify_person(request)
        if caller is None:
            raise NotSignedInError(tr(_PERSON))
        _check_role(caller, roles)
        request.state.caller = caller
        return caller

    return require


def require_caller(*roles: str) -> Callable[[Request], Awaitable[Caller]]:
    """A FastAPI dependency: a system or a person, in one of these roles (any, if none)."""

    async def require(request: Request) -> Caller:
        deployment = request.app.state.deployment
        caller = await deployment.identify_system(request)
        if caller is None:
            caller = await deployment.identify_person(request)
        if caller is None:
            raise NotSignedInError(_SYSTEM)
        _check_role(caller, roles)
        request.state.caller = caller
        return caller

    return require


def _check_role(caller: Caller, roles: tuple[str, ...]) -> None:
    if roles and not set(roles) & set(caller.roles):
        raise NotAllowedError(tr("This needs the role {roles}.").format(roles=" or ".join(roles)))
