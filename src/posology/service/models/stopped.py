"""Models whose kill switch is on: why, since when, by whom, and what to do instead."""

import datetime

from posology.language.catalogue import deferred, tr
from posology.language.numbers import day
from posology.service.deployment import Deployment
from posology.service.errors import StoppedError
from posology.service.models.served import ServedModel
from posology.service.store.people import names_of
from posology.service.store.served import STOP, changes_of

INSTEAD = deferred("Use the guideline or usual care until it answers again.")


async def answering_model(deployment: Deployment, name: str) -> ServedModel:
    """The version that answers; NotFoundError, or StoppedError with why it does not."""
    if name in deployment.models.stopped:
        served = deployment.models.find(name)
        raise StoppedError(await why_stopped(deployment, served.name))
    return deployment.models.get(name)


async def stopped_since(deployment: Deployment, name: str) -> str:
    """The day of the stop, `27-Nov-2026`; empty if the store does not know it."""
    last = await _last_stop(deployment, name)
    return "" if last is None else day(_moment(last[0]))


async def _last_stop(deployment: Deployment, name: str) -> tuple[str, str] | None:
    """When the model was last stopped, and by whom."""
    changes = await deployment.store.read(changes_of, name)
    return next(((at, c.caller) for at, c in changes if c.action == STOP), None)


async def why_stopped(deployment: Deployment, name: str) -> str:
    """The stop in words: for people and systems that may use the model, never for logs."""
    reason = deployment.models.stopped.get(name, "").strip()
    last = await _last_stop(deployment, name)
    stopped = tr("The model {model} was stopped").format(model=name)
    if last is not None:
        names, moment = await deployment.store.read(names_of, [last[1]]), _moment(last[0])
        stopped = tr("The model {model} was stopped on {day} {time} UTC by {person}").format(
            model=name,
            day=day(moment),
            time=f"{moment:%H:%M}",
            person=names.get(last[1], last[1]),
        )
    why = f": {reason}{'' if reason.endswith('.') else '.'}" if reason else "."
    return f"{stopped}{why} {tr('It gives no answers.')} {tr(INSTEAD)}"


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)
