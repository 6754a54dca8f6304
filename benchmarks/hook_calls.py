"""CDS Hooks calls of which parts of the prefetch are withheld: status, time, memory.

Each prefetch key is withheld with a probability: not sent, null, an error, or the first page of
many. What is not there cannot be fetched: no FHIR server is named, or one that does not answer.
"""

import asyncio
import json
import random
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving import NO_SERVER, Client, Service, connect, percentile, resident_mib, timed
from posology import artifact
from posology.records.sources.fhir.search import answer_query, fill_template
from posology.service.demo.patients import demo_patients
from posology.service.ehr.record import draft_order, resources_of
from posology.service.ehr.ways import FAILED, FIRST_PAGE, NONE, WITHHELD, send_as

Json = dict[str, Any]
WITHHELD_SHARE = 0.3
SLOWEST_MS = 500.0
GROWTH = 0.05
"""Aims: no call takes longer, and memory grows by no more after the first 1,000."""
_PATH = "/cds-services/warfarin"
_CLIENTS = 8
_ROUND = 500
"""Calls whose tokens and bodies are made before they are sent: that is not the service's work."""
_FIRST = 1_000
_HOOKS = ("patient-view", "order-select", "order-sign")
_WAYS = (WITHHELD, NONE, FAILED, FIRST_PAGE)


@dataclass(slots=True)
class HookCalls:
    """What the calls found."""

    milliseconds: list[float] = field(default_factory=list)
    replies: Counter[str] = field(default_factory=Counter)
    """By status; those of 200 apart with and without a card."""
    memory: list[float] = field(default_factory=list)
    """MiB of the service and its workers after each round."""

    def row(self) -> Json:
        """One row of the table."""
        first = self.memory[min(_FIRST // _ROUND, len(self.memory)) - 1]
        odd = {name: n for name, n in self.replies.items() if not name.startswith(("200", "412"))}
        return {
            "clients": _CLIENTS,
            "calls": len(self.milliseconds),
            "withheld": WITHHELD_SHARE,
            "p50_ms": percentile(self.milliseconds, 0.5),
            "p99_ms": percentile(self.milliseconds, 0.99),
            "max_ms": max(self.milliseconds),
            "over_500_ms": sum(one > SLOWEST_MS for one in self.milliseconds),
            "replies": dict(self.replies),
            "errors": sum(odd.values()),
            "mib_after_first": first,
            "mib_at_end": self.memory[-1],
            "growth": self.memory[-1] / first - 1,
        }


def measure_hooks(
    service: Service, process: subprocess.Popen[bytes], model: Path, calls: int
) -> Json:
    """Make so many calls, and say what came back, how late, and what memory is used."""
    entries = asyncio.run(_discover(service))
    bodies, measured = hook_bodies(model, entries), HookCalls()
    while len(measured.milliseconds) < calls:
        waiting = [(service.token(_PATH), next(bodies)) for _ in range(_ROUND)]
        asyncio.run(_call_all(service, waiting, measured))
        measured.memory.append(resident_mib(process))
        slowest = max(measured.milliseconds[-_ROUND:])
        text = f"{len(measured.milliseconds)} calls, {measured.memory[-1]:.1f} MiB"
        print(f"{text}, slowest of the last {_ROUND} {slowest:.0f} ms", flush=True)
    return measured.row()


async def _discover(service: Service) -> list[Json]:
    client = await connect(service)
    path = "/cds-services"
    _, reply = await client.send("GET", path, service.token(path))
    client.writer.close()
    return json.loads(reply)["services"]


async def _call_all(
    service: Service, waiting: list[tuple[str, bytes]], measured: HookCalls
) -> None:
    async def work() -> None:
        client = await connect(service)
        while waiting:
            await _call(client, *waiting.pop(), measured)
        client.writer.close()

    await asyncio.gather(*(work() for _ in range(_CLIENTS)))


async def _call(client: Client, token: str, body: bytes, measured: HookCalls) -> None:
    (status, reply), milliseconds = await timed(client.post(_PATH, token, body))
    measured.milliseconds.append(milliseconds)
    kind = str(status)
    if status == 200:
        kind += " with a card" if json.loads(reply)["cards"] else " without a card"
    measured.replies[kind] += 1


def hook_bodies(model: Path, entries: list[Json]) -> Iterator[bytes]:
    """Calls about the demonstration's patients, without end."""
    loaded = artifact.load(model)
    study, rng = loaded.study, random.Random(0)
    patients = [(p.id, resources_of(p.id, p.events)[0]) for p in demo_patients(loaded)]
    templates: Json = entries[0]["prefetch"]
    whole = {patient: _answers(templates, patient, records) for patient, records in patients}
    drugs = [t.codes for t in study.formulary.treatments if draft_order("x", t.codes, t.title)]
    while True:
        patient, hook = rng.choice(patients)[0], rng.choice(_HOOKS)
        order = draft_order(patient, rng.choice([*drugs, ()]), "an option")
        prefetch = _withhold(whole[patient], rng)
        body = {"hook": hook, "hookInstance": str(uuid.uuid4()), "prefetch": prefetch}
        body["context"] = _context(hook, patient, order)
        if rng.random() < 0.5:
            body |= _leave(patient)
        yield json.dumps(body).encode()


def _answers(templates: Json, patient: str, resources: list[Json]) -> Json:
    context = {"patientId": patient}
    queries = {key: fill_template(template, context) for key, template in templates.items()}
    return {key: answer_query(query, resources) for key, query in queries.items() if query}


def _withhold(whole: Json, rng: random.Random) -> Json:
    """The prefetch, each key of it withheld in some way or sent."""
    sent = {}
    for key, value in whole.items():
        is_sent, one = True, value
        if rng.random() < WITHHELD_SHARE:
            is_sent, one = send_as(rng.choice(_WAYS), value)
        if is_sent:
            sent[key] = one
    return sent


def _context(hook: str, patient: str, order: Json | None) -> Json:
    context: Json = {"userId": "Practitioner/a-sample", "patientId": patient}
    if hook == "patient-view":
        return context
    entries = [] if order is None else [{"resource": order}]
    context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    if hook == "order-select":
        context["selections"] = [f"MedicationRequest/{one['resource']['id']}" for one in entries]
    return context


def _leave(patient: str) -> Json:
    token = {"access_token": "none", "token_type": "Bearer", "expires_in": 300}
    token |= {"scope": "patient/*.read", "subject": "benchmark", "patient": patient}
    return {"fhirServer": NO_SERVER, "fhirAuthorization": token}
