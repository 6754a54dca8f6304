"""What several commands read of a service and its model."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from posology.domain.study import Study
    from posology.lifecycle.advice_log import AdviceLog


@dataclass(frozen=True, slots=True)
class ServiceStore:
    """Where a service keeps its answers, and how it names patients."""

    folder: Path
    name: str = ""
    """Name that the model was served under; empty: the only one."""
    ids: Path | None = None
    """CSV of subject_id,patient_id; None: callers used the subject's id."""
    plain_ids: bool = False
    """Whether it stores ids unhashed."""
    database: str = ""
    """SQLAlchemy address; empty: SQLite in the folder."""


def study_of(model: Path) -> "Study":
    """The study of a saved policy, or of a registry's champion."""
    from posology import artifact
    from posology.workflows.over_time.champion import champion_or_model

    return artifact.load(champion_or_model(model)).study


def advice_of(service: ServiceStore, model: Path, events: "pa.Table") -> "AdviceLog":
    """What the service recommended to the patients of the events."""
    from posology.cli.serve.packages import require_packages

    require_packages()
    from posology.service.returning.add_outcomes import served_name
    from posology.service.returning.advice_log import read_advice_log
    from posology.service.returning.patients import patient_keys, served_models
    from posology.service.store.existing import existing_store

    key_of = patient_keys(service.folder, service.ids, service.plain_ids)
    keys = {subject: key_of(subject) for subject in set(events["subject_id"].to_pylist())}
    keys = {subject: key for subject, key in keys.items() if key}  # others have no answer
    with existing_store(service.folder, service.database) as store:
        name = served_name(store.read_now(served_models), service.name)
        return store.read_now(read_advice_log, name, study_of(model), keys)
