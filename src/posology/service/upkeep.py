"""What the service does by itself while it runs."""

import asyncio
import time

from sqlalchemy.exc import OperationalError

from posology.service.deployment import Deployment
from posology.service.models.switching import follow_changes
from posology.service.store.retention import erase_patients

_FOLLOW_SECONDS = 2.0
"""How often a service looks for changes made by another one on the same database."""
_ERASE_SECONDS = 3600.0


async def keep_up(deployment: Deployment) -> None:
    """Follow other services and erase what is too old, until cancelled; an error ends neither."""
    last_erased = -_ERASE_SECONDS
    while True:
        days = deployment.settings.retention.patients
        try:
            if days and time.monotonic() - last_erased >= _ERASE_SECONDS:
                last_erased = time.monotonic()
                await deployment.store.write(erase_patients, deployment.store.key, days)
            await follow_changes(deployment)
            deployment.is_store_away = False
        except Exception as error:  # noqa: BLE001  (a database that is away may come back)
            deployment.is_store_away = isinstance(error, OperationalError)
            deployment.log.error("upkeep", error=type(error).__name__)
        await asyncio.sleep(_FOLLOW_SECONDS)
