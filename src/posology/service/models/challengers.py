"""Which version answers silently beside each model, and whether it may: the same question only."""

from typing import Any

from posology.domain.study import Study
from posology.errors import ArtifactError, UserError
from posology.lifecycle.registry.state import is_registry, read_registry
from posology.service.models.served import (
    ServedModel,
    ServedModels,
    find_versions,
    read_served_model,
    versions_in,
)
from posology.service.settings import ModelSettings, Settings
from posology.service.store import Store
from posology.service.store.challengers import DROP, SET, ChallengerChange, last_challenger_change

_RULE = "A challenger must have the study's name, options, doses and outcome of the model in use."
_OUTCOME = ("kind", "codes", "unit", "from_days", "within_days", "range", "change")


def read_challengers(
    settings: Settings, models: ServedModels, store: Store
) -> dict[str, ServedModel]:
    """The challenger of each model, checked as the model itself is.

    That of the settings must fit, or nothing starts: UserError. One that an administrator set is
    left out where it does not fit any more: the model in use matters more.
    """
    found = {}
    for model in settings.models:
        last = store.read_now(last_challenger_change, model.name)
        digest = chosen_challenger(model, last)
        champion = models.find(model.name)
        if not digest or digest == champion.digest:
            continue
        try:
            found[model.name] = read_challenger(settings, champion, model, digest)
        except UserError:
            if model.challenger is not None:
                raise
    return found


def chosen_challenger(model: ModelSettings, last: ChallengerChange | None) -> str:
    """Digest of the version to ask; empty if there is none.

    The one set last, if it is there and the settings name no other; else the newest of the
    settings' folder, unless that very version was dropped: a choice survives a restart. Of a
    registry the one that it names.
    """
    if is_registry(model.folder):
        return read_registry(model.folder).challenger
    if model.challenger is None:
        is_there = last is not None and last.action == SET and last.digest in find_versions(model)
        return last.digest if last is not None and is_there else ""
    versions = list(versions_in(model.challenger))
    if not versions:
        raise ArtifactError(
            f"{model.challenger}: holds no saved policy; name the folder of one, or of several, as "
            f"the challenger of {model.name}."
        )
    if last is not None and last.action == SET and last.digest in versions:
        return last.digest
    newest = versions[-1]
    was_dropped = last is not None and last.action == DROP and last.digest == newest
    return "" if was_dropped else newest


def read_challenger(
    settings: Settings, champion: ServedModel, model: ModelSettings, digest: str
) -> ServedModel:
    """The version, its signature, content and golden patients checked; UserError."""
    folder = find_versions(model)[digest]
    challenger = read_served_model(settings, model.name, folder)
    other = different_question(champion.artifact.study, challenger.artifact.study)
    if other:
        raise UserError(f"{folder}: {other}")
    return challenger


def different_question(champion: Study, challenger: Study) -> str:
    """The first part in which two studies ask something else, in words; empty if they do not."""
    parts = [("study's name is", champion.name, challenger.name)]
    parts.append(("options are", _names(champion), _names(challenger)))
    parts.append(("units of doses are", _units(champion), _units(challenger)))
    if champion.outcome.kind == "dose_class":  # the options are ranges of the dose
        parts.append(("ranges of doses are", _ranges(champion), _ranges(challenger)))
    for name in _OUTCOME:
        wanted, found = (getattr(study.outcome, name) for study in (champion, challenger))
        parts.append((f"outcome's {name} is", wanted, found))
    for part, wanted, found in parts:
        if wanted != found:
            return (
                f"answers another question than the model in use: its {part} {_words(found)}, not "
                f"{_words(wanted)}. {_RULE}"
            )
    return ""


def _names(study: Study) -> tuple[str, ...]:
    return study.formulary.names


def _units(study: Study) -> tuple[str, ...]:
    ranges = [*(t.dose for t in study.formulary.treatments), study.formulary.dose, study.dose]
    return tuple("" if one is None else one.unit for one in ranges)


def _ranges(study: Study) -> tuple[str, ...]:
    found = [treatment.dose for treatment in study.formulary.treatments]
    return tuple("" if one is None else f"{one.low:g} to {one.high:g}" for one in found)


def _words(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(one) or "none" for one in value) or "empty"
    return str(value) or "empty"
