"""Everything that was exchanged with one service, in the order of the run."""

from dataclasses import dataclass, field
from typing import Any, Literal

from posology.conformance.calls.exchange import Exchange
from posology.conformance.calls.token_abuse import Abuse

Kind = Literal[
    "all data", "no prefetch", "one key withheld", "server down", "fetched", "every key null",
    "every key failed", "first pages", "damaged data", "another patient", "unknown fields",
    "extension", "another hook", "bad hookInstance", "incomplete", "no JSON object", "nested deep",
    "huge body", "burst", "no fhirServer", "scope without patient",
]  # fmt: skip
"""What a call tries; the report shows it."""
Service = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one service."""

    service: Service
    kind: Kind
    exchange: Exchange

    @property
    def where(self) -> str:
        """The call in words, for a fault."""
        return f"{self.service.get('id')} on {self.service.get('hook')}, {self.kind}"


@dataclass(frozen=True, slots=True)
class FeedbackCall:
    """Feedback that was sent; `statement` is what its reply tries."""

    statement: str
    where: str
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class AbuseCall:
    """A token to be refused, and the reply to it."""

    abuse: Abuse
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class FhirRequest:
    """A request that the service made to the tester's FHIR server."""

    path: str
    authorization: str


@dataclass(slots=True)
class Transcript:
    """The run.

    Attributes:
        base: address of discovery.
        discovery: first and last call of discovery, with the client's own token.
        services: the entries of discovery that are objects, as they came.
        plain: calls without any token, where the client has a key.
        preflight: CORS requests by their endpoint.
        access_token: what the tester's FHIR server expects.
    """

    base: str
    discovery: list[Exchange] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    unknown_service: Exchange | None = None
    feedback: list[FeedbackCall] = field(default_factory=list)
    plain: list[Exchange] = field(default_factory=list)
    abuse: list[AbuseCall] = field(default_factory=list)
    preflight: list[Exchange] = field(default_factory=list)
    fhir_requests: list[FhirRequest] = field(default_factory=list)
    access_token: str = ""

    def of_kind(self, *kinds: Kind) -> list[Call]:
        """The calls that tried one of these."""
        return [call for call in self.calls if call.kind in kinds]
