"""The key with which the record system signs its calls, and the settings that trust it."""

from dataclasses import replace
from pathlib import Path

from posology.service.settings import Settings
from posology.service.tokens.key_sets import TrustedIssuer
from posology.service.tokens.signer import Signer, write_key_set
from posology.service.tokens.signer import read_signer as read_key

ISSUER = "https://ehr.posology.example"
"""Of the demonstration's record system (RFC 2606 reserves the domain)."""
FHIR_PATH = "/ehr/fhir"
_KEY, _KEYS, _ID = "ehr-key.pem", "ehr-jwks.json", "ehr"


def with_record_system(settings: Settings) -> Settings:
    """Settings of a demonstration that trust its own record system, beside those it names."""
    hooks = settings.cds_hooks
    if not settings.is_demo or any(one.issuer == ISSUER for one in hooks.issuers):
        return settings
    path = settings.folder / _KEYS
    write_key_set(read_signer(settings.folder), path)
    trusted = replace(
        hooks,
        issuers=(*hooks.issuers, TrustedIssuer(ISSUER, path)),
        fhir_servers=(*hooks.fhir_servers, settings.url + FHIR_PATH),
    )
    return replace(settings, cds_hooks=trusted)


def read_signer(folder: Path) -> Signer:
    """The key of the folder, made at the first start."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return read_key(folder / _KEY, ISSUER, _ID)
