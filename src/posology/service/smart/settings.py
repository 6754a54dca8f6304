"""Settings of SMART launches: the table `[smart]`. Only record systems named here may launch."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SmartServer:
    """A record system that may open pages."""

    name: str
    """In addresses: `/smart/standalone?server=NAME`."""
    fhir: str
    """Base address of its FHIR server, which is `iss` of a launch, exactly."""
    client_id: str
    """As it registered this service."""
    client_secret_file: Path | None = None
    """File with the client's secret; None for a public client. PKCE is used in either case."""
    model: str = ""
    """Name of the model that answers; empty: the first one."""
    roles: tuple[str, ...] = ("clinician",)
    """Roles of people who come from there."""


@dataclass(frozen=True, slots=True)
class SmartSettings:
    """Which record systems may open pages."""

    servers: tuple[SmartServer, ...] = ()
