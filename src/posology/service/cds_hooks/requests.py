"""Calls of CDS Hooks clients as types (CDS Hooks 2.0: patient-view, order-select, order-sign).

Unknown keys are extensions and are ignored, as the specification wants. What is refused is named by
its place only: values may tell who the patient is.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from posology.service.store.clock import in_utc
from posology.service.validation_words import reason_words

PATIENT_VIEW, ORDER_SELECT, ORDER_SIGN = "patient-view", "order-select", "order-sign"
HOOKS = (PATIENT_VIEW, ORDER_SELECT, ORDER_SIGN)
HOOK_VERSION = "1.0"
"""Of all three hooks, in the CDS Hooks Library 2.0 ballot as in the older publications."""

ID = r"[A-Za-z0-9\-.]{1,64}"
"""Of a FHIR resource, as a pattern."""
_MOST_ISSUES = 20


def _uuid(text: str) -> str:
    try:
        UUID(text)
    except ValueError:
        raise ValueError("is no UUID; send one") from None
    return text


FhirId = Annotated[str, StringConstraints(pattern=rf"^{ID}$")]
"""A FHIR id; anything else could change the address that it becomes part of."""
UserId = Annotated[
    str,
    StringConstraints(pattern=rf"^(Practitioner|PractitionerRole|Patient|RelatedPerson)/{ID}$"),
]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s\\@]+$", max_length=2048)]
Uuid = Annotated[str, StringConstraints(max_length=64), AfterValidator(_uuid)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


class FhirAuthorization(BaseModel):
    """A token for the client's FHIR server. It is used for this call and then forgotten."""

    model_config = ConfigDict(strict=True)
    access_token: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=16_384)]
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str
    subject: str
    patient: FhirId | None = None


class Context(BaseModel):
    """What the user is looking at; `selections` and `draftOrders` only of orders."""

    model_config = ConfigDict(strict=True)
    userId: UserId  # noqa: N815 - the specification's name
    patientId: FhirId  # noqa: N815
    encounterId: FhirId | None = None  # noqa: N815
    selections: list[str] | None = None
    draftOrders: dict[str, Any] | None = None  # noqa: N815


class HookCall(BaseModel):
    """The body of a call of a service."""

    model_config = ConfigDict(strict=True)
    hook: Text
    hookInstance: Uuid  # noqa: N815
    context: Context
    fhirServer: Url | None = None  # noqa: N815
    fhirAuthorization: FhirAuthorization | None = None  # noqa: N815
    prefetch: dict[str, dict[str, Any] | None] | None = None

    @model_validator(mode="after")
    def _whole(self) -> "HookCall":
        if self.fhirAuthorization is not None and self.fhirServer is None:
            raise ValueError("fhirAuthorization came without fhirServer; send both")
        is_order = self.hook in (ORDER_SELECT, ORDER_SIGN)
        if is_order and self.context.draftOrders is None:
            raise ValueError("context.draftOrders is missing; this hook needs it")
        if self.hook == ORDER_SELECT and self.context.selections is None:
            raise ValueError("context.selections is missing; this hook needs it")
        return self


class Coding(BaseModel):
    """A code of a code system."""

    model_config = ConfigDict(strict=True)
    code: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    system: str = ""
    display: str = ""


class OverrideReason(BaseModel):
    """Why a card was overridden."""

    model_config = ConfigDict(strict=True)
    reason: Coding | None = None
    userComment: str | None = Field(None, max_length=20_000)  # noqa: N815

    @model_validator(mode="after")
    def _whole(self) -> "OverrideReason":
        if self.reason is None and not self.userComment:
            raise ValueError("is empty; send reason or userComment in it")
        return self


class AcceptedSuggestion(BaseModel):
    """A suggestion that was accepted."""

    model_config = ConfigDict(strict=True)
    id: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class CardFeedback(BaseModel):
    """What became of one card."""

    model_config = ConfigDict(strict=True)
    card: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    outcome: Literal["accepted", "overridden"]
    acceptedSuggestions: list[AcceptedSuggestion] | None = None  # noqa: N815
    overrideReason: OverrideReason | None = None  # noqa: N815
    outcomeTimestamp: Annotated[AwareDatetime, Field(strict=False), AfterValidator(in_utc)]  # noqa: N815

    @model_validator(mode="after")
    def _whole(self) -> "CardFeedback":
        if self.outcome == "accepted" and not self.acceptedSuggestions:
            raise ValueError("is accepted without acceptedSuggestions; send them")
        return self


class Feedback(BaseModel):
    """The body of a call of `feedback`."""

    model_config = ConfigDict(strict=True)
    feedback: Annotated[list[CardFeedback], Field(min_length=1, max_length=1_000)]


def issues_of(error: ValidationError) -> tuple[tuple[str, str], ...]:
    """Place and reason of what is wrong with a body, without its values."""
    found = error.errors(include_url=False)
    return tuple((_place(one["loc"]), reason_words(one)) for one in found[:_MOST_ISSUES])


def _place(parts: Sequence[int | str]) -> str:
    """`context.patientId`; names that the client made up, such as prefetch keys, are shortened."""
    words = "".join(f"[{p}]" if isinstance(p, int) else f".{p[:40]}" for p in parts)
    return re.sub(r"[^\w.\[\]\-]", "?", words.lstrip(".")) or "body"
