"""What one running service holds; every route gets it from `request.app.state.deployment`."""

import asyncio
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import HTTPConnection

from posology.errors import UserError
from posology.service.demo.orders import with_demo_orders
from posology.service.demo.patients import DemoPatient, demo_patients
from posology.service.identity.callers import Identify, nobody
from posology.service.keys import KEY, derive_key, read_or_make_key, read_secret_file
from posology.service.logs import make_log
from posology.service.metrics import Metrics, make_metrics
from posology.service.models.challengers import read_challengers
from posology.service.models.served import (
    ServedModel,
    ServedModels,
    choose_version,
    read_served_model,
)
from posology.service.ranges import check_ranges
from posology.service.settings import ModelSettings, Settings
from posology.service.shadow.asking import Shadow, make_shadow
from posology.service.store import AuditEvent, Store, append_event, open_store
from posology.service.store.audit import is_own_log
from posology.service.store.existing import SQLITE, address_of
from posology.service.store.served import current_state
from posology.service.tokens.identify import identify_system
from posology.service.workers import Workers, make_workers


@dataclass(slots=True)
class Deployment:
    """One running service."""

    settings: Settings
    models: ServedModels
    store: Store
    workers: Workers
    key: bytes
    """The service's secret: `derive_key` makes one for each use of it."""
    log: Any
    """structlog's logger: nothing that identifies a patient or a person goes into it."""
    metrics: Metrics
    shadow: Shadow
    """What challengers are asked, and by whom."""
    is_ready: bool = False
    is_ending: bool = False
    """No connection is to be used again."""
    is_store_away: bool = False
    """The database did not answer when it was last looked at."""
    identify_person: Identify = nobody
    identify_system: Identify = nobody
    demo_patients: tuple[DemoPatient, ...] = ()
    """Patients to try, of a demonstration."""
    extra: dict[str, object] = field(default_factory=dict)
    """What other rooms of the service keep: each under its own name."""

    def patient_key(self, patient_id: str) -> str:
        """What is stored instead of the caller's id of a patient."""
        if not patient_id or self.settings.store_patient_ids:
            return patient_id
        return hmac.new(self.derive_key("patient"), patient_id.encode(), hashlib.sha256).hexdigest()

    def derive_key(self, purpose: str) -> bytes:
        """A secret of 32 bytes for one purpose, such as `session`."""
        return derive_key(self.key, purpose)

    async def audit(self, event: AuditEvent) -> None:
        """Add one event to the audit log; together with another write, use `append_event`."""
        await self.store.write(append_event, self.store.key, event)

    async def close(self) -> None:
        """Finish what runs, then close the store."""
        self.is_ready = False
        await asyncio.to_thread(self.shadow.close)
        self.workers.close()
        self.store.close()


async def get_deployment(request: HTTPConnection) -> Deployment:
    """The deployment of a request. A FastAPI dependency, async so that it needs no thread."""
    return request.app.state.deployment


def open_deployment(settings: Settings) -> Deployment:
    """The service's key, store, models and workers; UserError says what is wrong."""
    check_ranges(settings)
    for client in (*settings.smart.servers, *((settings.openid,) if settings.openid else ())):
        if client.client_secret_file is not None:  # a sign-in must not be the first to miss it
            read_secret_file(client.client_secret_file)
    folder = settings.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = read_or_make_key(folder / KEY)
    if not settings.database:
        (folder / SQLITE).touch(mode=0o600)  # SQLite's other files get the same rights
    store = open_store(address_of(folder, settings.database), derive_key(key, "audit"))
    try:
        if not store.read_now(is_own_log, store.key):
            raise UserError(
                f"{folder / KEY}: is not the key with which the audit log of this database was "
                "written. Put the service.key of the service that wrote it there: its services "
                "share one key."
            )
        models = ServedModels({m.name: _read_model(settings, m, store) for m in settings.models})
        models.challengers = read_challengers(settings, models, store)
        patients = demo_patients(models.find(models.default).artifact) if settings.is_demo else ()
        if settings.is_demo:
            studies = {name: one.artifact.study.name for name, one in models.current.items()}
            settings = with_demo_orders(settings, studies)
    except BaseException:
        store.close()
        raise
    metrics, workers = make_metrics(), make_workers(settings)
    return Deployment(
        settings=settings,
        models=models,
        store=store,
        workers=workers,
        key=key,
        log=make_log(),
        metrics=metrics,
        shadow=make_shadow(models, store, metrics, settings.limits, workers),
        demo_patients=patients,
        identify_system=identify_system(settings, store),
    )


def _read_model(settings: Settings, model: ModelSettings, store: Store) -> ServedModel:
    last, _, _ = store.read_now(current_state, model.name)
    return read_served_model(settings, model.name, choose_version(model, last))
