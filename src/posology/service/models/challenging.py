"""Set, swap and drop the challenger of a model while it is served; promotion is the swap."""

import asyncio

from posology.errors import UserError
from posology.language.catalogue import tr
from posology.service.deployment import Deployment
from posology.service.errors import ConflictError, NotFoundError, UnusableError
from posology.service.models.challengers import different_question, read_challenger
from posology.service.models.served import (
    ServedModel,
    ServedModels,
    find_version,
    read_served_model,
)
from posology.service.settings import ModelSettings
from posology.service.store.challengers import (
    DROP,
    SET,
    ChallengerChange,
    last_challenger_change,
    save_challenger_change,
)

_PROMOTED = "It is the model in use now."


async def set_challenger(
    deployment: Deployment, name: str, version: str, caller: str
) -> ServedModel:
    """Put questions to this version too, from now on; one that was set before gets no more.

    NotFoundError, ConflictError; UnusableError if it answers another question or may not be served.
    """
    champion = deployment.models.find(name)
    try:
        async with deployment.models.changing:
            folder = await asyncio.to_thread(find_version, settings_of(deployment, name), version)
            found = await asyncio.to_thread(read_served_model, deployment.settings, name, folder)
    except UserError as error:  # its text names folders of this machine
        deployment.log.error(SET, model=name, error=str(error))
        raise UnusableError(tr("This version cannot be served; the log says why.")) from error
    if found.digest == champion.digest:
        raise ConflictError(f"This version of {name} is the model in use.")
    other = different_question(champion.artifact.study, found.artifact.study)
    if other:
        raise UnusableError(f"It {other}")
    change = ChallengerChange(name, found.digest, SET, caller)
    with deployment.models.change():
        await deployment.store.write(save_challenger_change, deployment.store.key, change)
        deployment.models.challengers[name] = found
        deployment.shadow.prepare(found)
    deployment.log.info(SET, model=name, digest=found.digest)
    return found


async def drop_challenger(deployment: Deployment, name: str, reason: str, caller: str) -> None:
    """Put no further question to the challenger; what it answered stays for its retention."""
    deployment.models.find(name)
    found = deployment.models.challengers.get(name)
    if found is None:
        raise ConflictError(tr("The model {model} has no challenger.").format(model=name))
    change = ChallengerChange(name, found.digest, DROP, caller, reason)
    with deployment.models.change():
        deployment.models.challengers.pop(name, None)
        await deployment.store.write(save_challenger_change, deployment.store.key, change)
    deployment.log.info(DROP, model=name, digest=found.digest)


def promotion_of(models: ServedModels, served: ServedModel, caller: str) -> ChallengerChange | None:
    """What to note where the version that is put in place was the challenger until now."""
    challenger = models.challengers.get(served.name)
    if challenger is None or challenger.digest != served.digest:
        return None
    return ChallengerChange(served.name, served.digest, DROP, caller, _PROMOTED)


async def note_challengers(deployment: Deployment) -> None:
    """Note which challengers get questions from now on."""
    for name, challenger in deployment.models.challengers.items():
        last = await deployment.store.read(last_challenger_change, name)
        if last is None or (last.action, last.digest) != (SET, challenger.digest):
            change = ChallengerChange(name, challenger.digest, SET, "service")
            await deployment.store.write(save_challenger_change, deployment.store.key, change)
        deployment.shadow.prepare(challenger)


async def follow_challenger(deployment: Deployment, name: str) -> None:
    """Set and drop the challenger as another service on the same database did."""
    models = deployment.models
    begun, current = models.begun, models.challengers.get(name)
    last = await deployment.store.read(last_challenger_change, name)
    if last is None or not begun == models.begun == models.ended:
        return
    if last.action == DROP:
        models.challengers.pop(name, None)
    elif current is None or current.digest != last.digest:
        model = settings_of(deployment, name)
        try:
            async with models.changing:
                found = await asyncio.to_thread(
                    read_challenger, deployment.settings, models.find(name), model, last.digest
                )
        except (UserError, NotFoundError, KeyError) as error:
            models.challengers.pop(name, None)
            deployment.log.error("follow", model=name, digest=last.digest, error=str(type(error)))
            return
        if begun == models.begun:
            models.challengers[name] = found
            deployment.shadow.prepare(found)


def settings_of(deployment: Deployment, name: str) -> ModelSettings:
    """The settings of the model with this name."""
    return next(m for m in deployment.settings.models if m.name == name)
