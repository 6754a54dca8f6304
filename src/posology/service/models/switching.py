"""Change what is served without losing a request: swap, roll back, stop, resume."""

import asyncio

from sqlalchemy import Connection

from posology.errors import UserError
from posology.language.catalogue import tr
from posology.service.cds_hooks.state import hooks_state
from posology.service.deployment import Deployment
from posology.service.errors import ConflictError, NotFoundError, UnusableError
from posology.service.models.challenging import (
    follow_challenger,
    note_challengers,
    promotion_of,
    settings_of,
)
from posology.service.models.served import ServedModel, find_version, read_served_model
from posology.service.store.challengers import ChallengerChange, save_challenger_change
from posology.service.store.served import (
    RESUME,
    ROLLBACK,
    START,
    STOP,
    SWAP,
    Change,
    changes_of,
    current_state,
    save_change,
)
from posology.service.work import warm_model


async def swap(
    deployment: Deployment, name: str, version: str, caller: str, action: str = SWAP
) -> ServedModel:
    """Serve another version, by the first characters of its digest.

    It is checked and loaded by every worker first; questions that run are finished by the old one.
    NotFoundError; UnusableError if the version may not be served.
    """
    try:
        served = await _prepare(deployment, name, version)
    except UserError as error:  # its text names folders of this machine
        deployment.log.error(action, model=name, error=str(error))
        raise UnusableError(tr("This version cannot be served; the log says why.")) from error
    change = Change(name, served.digest, action, caller)
    promoted = promotion_of(deployment.models, served, caller)
    with deployment.models.change():
        await deployment.store.write(_save, deployment.store.key, change, promoted)
        deployment.models.current[name] = served
        if promoted is not None:
            deployment.models.challengers.pop(name, None)
    deployment.log.info(action, model=name, digest=served.digest)
    return served


def _save(
    connection: Connection, key: bytes, change: Change, promoted: ChallengerChange | None
) -> None:
    """Keep the change, and in one step that a challenger that is promoted is none any more."""
    save_change(connection, key, change)
    if promoted is not None:
        save_challenger_change(connection, key, promoted)


async def roll_back(deployment: Deployment, name: str, caller: str) -> ServedModel:
    """Serve the version that was served before this one."""
    now = deployment.models.find(name).digest
    changes = await deployment.store.read(changes_of, name)
    chosen = [change.digest for _, change in changes if change.action in (START, SWAP, ROLLBACK)]
    earlier = next((digest for digest in chosen if digest != now), None)
    if earlier is None:
        text = tr("No other version of {model} was served before.")
        raise ConflictError(text.format(model=name))
    return await swap(deployment, name, earlier, caller, ROLLBACK)


async def stop(deployment: Deployment, name: str, reason: str, caller: str) -> None:
    """The kill switch: from now on the model gives no answer, here and at every other service."""
    served = deployment.models.find(name)
    change = Change(name, served.digest, STOP, caller, reason)
    with deployment.models.change():
        deployment.models.stopped[name] = reason  # first: it must not wait for the disk
        deployment.models.unsaved_stops.append(change)
        await _save_stops(deployment)
    deployment.log.info("stop", model=name, digest=served.digest)


async def resume(deployment: Deployment, name: str, reason: str, caller: str) -> None:
    """Let a stopped model answer again."""
    served = deployment.models.find(name)
    if name not in deployment.models.stopped:
        raise ConflictError(tr("The model {model} is not stopped.").format(model=name))
    change = Change(name, served.digest, RESUME, caller, reason)
    with deployment.models.change():
        await _save_stops(deployment)
        await deployment.store.write(save_change, deployment.store.key, change)
        deployment.models.stopped.pop(name, None)
    deployment.log.info("resume", model=name, digest=served.digest)


async def start(deployment: Deployment) -> None:
    """Note which versions answer from now on, and load them in every worker."""
    for name, served in deployment.models.current.items():
        last, is_stopped, reason = await deployment.store.read(current_state, name)
        if is_stopped:
            deployment.models.stopped[name] = reason
        if last != served.digest:
            change = Change(name, served.digest, START, "service")
            await deployment.store.write(save_change, deployment.store.key, change)
        await _warm(deployment, served)
    await note_challengers(deployment)


async def _save_stops(deployment: Deployment) -> None:
    """Write the stops that are not in the store yet: it may have been away."""
    unsaved = deployment.models.unsaved_stops
    while unsaved:
        change = unsaved.pop(0)
        try:
            await deployment.store.write(save_change, deployment.store.key, change)
        except BaseException:
            unsaved.insert(0, change)
            raise


async def follow_changes(deployment: Deployment) -> None:
    """Stop, resume and swap as another service on the same database did."""
    await _save_stops(deployment)
    for name in tuple(deployment.models.current):
        await _follow_model(deployment, name)
        await follow_challenger(deployment, name)


async def _follow_model(deployment: Deployment, name: str) -> None:
    models = deployment.models
    begun = models.begun
    digest, is_stopped, reason = await deployment.store.read(current_state, name)
    if not begun == models.begun == models.ended:
        return  # something was changed here meanwhile: what was read may be older
    if is_stopped:
        deployment.models.stopped[name] = reason
    else:
        deployment.models.stopped.pop(name, None)
    if digest and digest != deployment.models.current[name].digest:
        try:
            served = await _prepare(deployment, name, digest)
            if begun == models.begun:
                models.current[name] = served
        except (UserError, NotFoundError) as error:
            deployment.log.error("follow", model=name, digest=digest, error=type(error).__name__)


async def _prepare(deployment: Deployment, name: str, version: str) -> ServedModel:
    """The version, checked and loaded by the workers; NotFoundError if it is not there."""
    deployment.models.find(name)
    model = settings_of(deployment, name)
    async with deployment.models.changing:
        found = await asyncio.to_thread(find_version, model, version)
        settings = deployment.settings
        served = await asyncio.to_thread(read_served_model, settings, name, found)
        await _warm(deployment, served)
    return served


async def _warm(deployment: Deployment, served: ServedModel) -> None:
    """Load the model in each worker: each takes one of the jobs, as each job takes a moment."""
    await asyncio.to_thread(hooks_state(deployment).queries_of, served.artifact)
    jobs = [(served.folder, served.digest)] * deployment.workers.count
    await asyncio.gather(*(deployment.workers.prepare(warm_model, job) for job in jobs))
