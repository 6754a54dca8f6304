"""Settings of the CDS Hooks services: the table `[cds_hooks]`. Nothing is trusted by default."""

from dataclasses import dataclass, field

from posology.service.fhir.client import FetchLimits
from posology.service.tokens.key_sets import TrustedIssuer


@dataclass(frozen=True, slots=True)
class CdsHooksSettings:
    """Who may call, from where data may be fetched, and what codes mean."""

    issuers: tuple[TrustedIssuer, ...] = ()
    """Systems whose tokens are accepted; without one, every call is refused."""
    require_token: bool = True
    """Only a demonstration on loopback may switch this off."""
    clock_skew: float = 60.0
    """Seconds by which the clocks of callers may differ."""
    longest_token_life: float = 3600.0
    """Seconds that a token may live."""
    fhir_servers: tuple[str, ...] = ()
    """Base addresses of FHIR servers from which missing data may be fetched."""
    origins: tuple[str, ...] = ()
    """Origins of pages in a browser that may call (CORS), such as `https://ehr.example.org`."""
    order_codes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By model: codes of orders that the study is about, as `http://..rxnorm|11289`, beside the
    codes of its options. Orders of other drugs get no card."""
    code_systems: dict[str, str] = field(default_factory=dict)
    """Addresses of code systems by their names in study codes, beside the usual ones."""
    page_size: int = 250
    """`_count` of prefetch searches."""
    limits: FetchLimits = field(default_factory=FetchLimits)
