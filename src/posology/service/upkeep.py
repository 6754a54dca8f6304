"""What the service does by itself while it runs."""

import asyncio
import time

from sqlalchemy.exc import OperationalError

from posology.service.deployment import Deployment
from posology.service.models.registered import follow_registries
from posology.service.models.switching import follow_changes
from posology.service.store.retention import count_erasable, erase_patients

_FOLLOW_SECONDS = 2.0
"""How often a service looks for changes made by another one on the same database."""
_ERASE_SECONDS = 3600.0
NOTICE_SECONDS = 600.0
"""From the start to the first erasure: who set too few days can end the service before."""


def retention_notice(deployment: Deployment) -> str:
    """What the settings will erase, before anything is; empty if nothing is due."""
    days = deployment.settings.retention.patients
    if not days:
        return ""
    found = deployment.store.read_now(count_erasable, days)
    if found.is_empty:
        return ""
    return (
        f"Retention of {days:,} days: in {NOTICE_SECONDS / 60:.0f} minutes {found.words} from "
        f"before {found.before[:10]} are erased for good. To keep them end the service now and "
        "change retention.patients."
    )


async def keep_up(deployment: Deployment) -> None:
    """Follow other services and erase what is too old, until cancelled; an error ends neither."""
    due = time.monotonic() + NOTICE_SECONDS
    while True:
        days = deployment.settings.retention.patients
        try:
            if days and time.monotonic() >= due:
                due = time.monotonic() + _ERASE_SECONDS
                await deployment.store.write(erase_patients, deployment.store.key, days)
            await follow_changes(deployment)
            await follow_registries(deployment)
            deployment.is_store_away = False
        except Exception as error:  # noqa: BLE001  (a database that is away may come back)
            deployment.is_store_away = isinstance(error, OperationalError)
            deployment.log.error("upkeep", error=type(error).__name__)
        await asyncio.sleep(_FOLLOW_SECONDS)
