"""The record system of one demonstration: its patients, its key, and the calls that it made."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from posology.domain.study import Study
from posology.language.catalogue import deferred
from posology.records.sources.fhir.coding import SYSTEMS
from posology.service.demo.orders import DRUG_NAMES
from posology.service.deployment import Deployment
from posology.service.ehr.record import draft_order, resources_of
from posology.service.ehr.trust import read_signer
from posology.service.fhir.medication_request import drug_of
from posology.service.tokens.signer import Signer

Json = dict[str, Any]
NAME = "ehr"
"""Of this room among the deployment's extras."""
MOST_CALLS = 50
"""The newest calls that are kept, in memory only."""
_TIMEOUT = 15.0
"""Seconds for one reply."""


@dataclass(frozen=True, slots=True)
class VirtualPatient:
    """A patient as the record system holds them."""

    id: str
    name: str
    resources: list[Json]
    left_out: int
    """Facts without a code that FHIR knows, which cannot be sent."""


@dataclass(frozen=True, slots=True)
class Order:
    """A drug that can be ordered; without codes, one that no study is about."""

    name: str
    title: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent to a service, and what came back."""

    url: str
    body: Json
    status: int
    """0 where no reply came."""
    reply: Any
    seconds: float


@dataclass(slots=True)
class Call:
    """One call with the feedback on its cards."""

    id: str
    patient: VirtualPatient
    server: str
    service: str
    hook: str
    sent: Sent
    feedback: list[Sent] = field(default_factory=list)


@dataclass(slots=True)
class RecordSystem:
    """One for each deployment."""

    app: FastAPI
    deployment: Deployment
    signer: Signer
    patients: dict[str, VirtualPatient]
    orders: tuple[Order, ...]
    calls: OrderedDict[str, Call] = field(default_factory=OrderedDict)
    grants: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    """By access token: the patient whose data it opens, and resource types that come late."""

    @property
    def servers(self) -> tuple[str, ...]:
        """Base addresses that may be called: this service, and those that the settings name."""
        settings = self.deployment.settings
        return (settings.url, *settings.ehr_services)

    def keep(self, call: Call) -> None:
        """Keep a call, and forget the oldest beyond MOST_CALLS."""
        self.calls[call.id] = call
        while len(self.calls) > MOST_CALLS:
            self.calls.popitem(last=False)

    def grant(self, patient: str, late: frozenset[str]) -> str:
        """A new access token for one patient's data."""
        token = secrets.token_urlsafe(24)
        self.grants = {**dict(list(self.grants.items())[-MOST_CALLS:]), token: (patient, late)}
        return token

    def client(self, server: str) -> httpx.AsyncClient:
        """A client for one of the servers; this service is called in this process."""
        own = server == self.deployment.settings.url
        transport = httpx.ASGITransport(self.app) if own else None
        return httpx.AsyncClient(transport=transport, timeout=_TIMEOUT, trust_env=False)


def open_record_system(app: FastAPI) -> RecordSystem:
    """The record system of an app, which is kept with its deployment."""
    deployment: Deployment = app.state.deployment
    found = deployment.extra.get(NAME)
    if isinstance(found, RecordSystem):
        return found
    patients, name = {}, deployment.models.default
    study = deployment.models.find(name).artifact.study
    for patient in deployment.demo_patients:
        resources, left_out = resources_of(patient.id, patient.events, study.profile.standard)
        patients[patient.id] = VirtualPatient(patient.id, patient.name, resources, left_out)
    orders = _orders(study, deployment.settings.cds_hooks.order_codes.get(name, ()))
    made = RecordSystem(app, deployment, read_signer(deployment.settings.folder), patients, orders)
    deployment.extra[NAME] = made
    return made


def _orders(study: Study, order_codes: tuple[str, ...]) -> tuple[Order, ...]:
    """The options that have codes, else the drugs of the settings; and one of no study."""
    named = (Order(t.name, t.title, t.codes) for t in study.formulary.treatments)
    known = tuple(order for order in named if drug_of(order.codes, order.title))
    if not known:
        tokens = (token.rpartition("|") for token in order_codes)
        known = tuple(
            Order(f"drug-{code}", DRUG_NAMES.get(code, code), (f"DRUG//{SYSTEMS[system]}//{code}",))
            for system, _, code in tokens
            if system in SYSTEMS
        )
    return (*known, Order("other", deferred("amoxicillin, which the study is not about"), ()))


def order_of(system: RecordSystem, name: str, patient: str) -> Json | None:
    """A draft of the order with this name."""
    order = next((one for one in system.orders if one.name == name), system.orders[-1])
    return draft_order(patient, order.codes, order.title)
