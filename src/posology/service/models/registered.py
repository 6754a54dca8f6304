"""Models whose versions a registry keeps: the service follows it, so that there is one account."""

import asyncio

from posology.errors import UserError
from posology.language.catalogue import tr
from posology.lifecycle.registry.state import is_registry, read_registry
from posology.service.deployment import Deployment
from posology.service.errors import ConflictError, ServiceError
from posology.service.models.challenging import drop_challenger, set_challenger, settings_of
from posology.service.models.switching import swap
from posology.service.settings import ModelSettings

FOLLOWER = "registry"
"""Who changed what is served, where the registry did."""


def follows_registry(deployment: Deployment, name: str) -> bool:
    """Whether the model's versions are changed in its registry. NotFoundError."""
    deployment.models.find(name)
    return is_registry(settings_of(deployment, name).folder)


def check_is_changed_here(deployment: Deployment, name: str) -> None:
    """ConflictError if the model's versions are changed in its registry, not by calls."""
    if follows_registry(deployment, name):
        text = tr(
            "The model {model} follows a registry: use `posology models promote`, `shadow` or "
            "`rollback` there, and this service does the same in seconds. To stop it use POST "
            "/models/{model}/stop."
        )
        raise ConflictError(text.format(model=name))


async def follow_registries(deployment: Deployment) -> None:
    """Serve the champion and ask the challenger that each registry names now."""
    for model in deployment.settings.models:
        if not is_registry(model.folder):
            continue
        try:
            await _follow(deployment, model)
        except (UserError, ServiceError) as error:
            deployment.log.error("follow_registry", model=model.name, error=type(error).__name__)


async def _follow(deployment: Deployment, model: ModelSettings) -> None:
    registry = await asyncio.to_thread(read_registry, model.folder)
    name = model.name
    if registry.champion and registry.champion != deployment.models.find(name).digest:
        await swap(deployment, name, registry.champion, FOLLOWER)
    challenger = deployment.models.challengers.get(name)
    current = "" if challenger is None else challenger.digest
    if registry.challenger == current:
        return
    if registry.challenger:
        await set_challenger(deployment, name, registry.challenger, FOLLOWER)
    else:
        await drop_challenger(deployment, name, "dropped in the registry", FOLLOWER)
