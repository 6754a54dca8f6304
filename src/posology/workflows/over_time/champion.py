"""The champion of an update: where it is, until when it learned, and patients as it sees them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from posology.artifact import Artifact
from posology.domain.cohort import Cohort
from posology.domain.study import Split
from posology.errors import UserError
from posology.lifecycle.learned_from import EVIDENCE as LEARNED_FROM
from posology.lifecycle.learned_from import to_days
from posology.lifecycle.registry.state import Registry, is_registry, read_registry
from posology.lifecycle.registry.versions import verify_version
from posology.workflows.policies.encode_records import encode_records


def encode_everyone(events: pa.Table, champion: Artifact, places: Sequence[Path] = ()) -> Cohort:
    """Everybody's decisions in the champion's vocabulary, split by patient in any case.

    places: folders of the events, which have the images of a study that reads them.
    """
    study = champion.study
    by = study.split
    if by.by != "subject":
        by = Split(0.85, 0.15, 0.0, study.split.salt or study.name)
    cohort = encode_records(events, replace(study, split=by), champion.policy, places)
    return replace(cohort, study=study)


def find_champion(registry: Registry | None, model: Path) -> Path:
    """The folder of a registry's champion, unchanged; without a registry, the model's."""
    if registry is None:
        return model
    if not registry.champion:
        raise UserError(
            f"{registry.folder}: has no champion yet; `posology models promote {registry.folder} "
            "VERSION` makes one."
        )
    return verify_version(registry.folder, registry.champion)


def champion_or_model(place: Path) -> Path:
    """The folder of the champion if the place is a registry, else the place."""
    return find_champion(read_registry(place) if is_registry(place) else None, place)


def learned_until(model: Artifact, place: Path) -> float:
    """Time of the last decision that the model learned from; UserError if it does not say so."""
    until = (model.evidence.get(LEARNED_FROM) or {}).get("until")
    if not until:
        raise UserError(
            f"{place}: version {model.digest[:8]} does not say until when it learned: it was "
            "fitted by an older posology, or its decisions have no time. Fit it again."
        )
    return to_days(until)
