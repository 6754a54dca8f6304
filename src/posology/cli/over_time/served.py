"""What several commands read of a service and its model."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from posology.domain.study import Study
    from posology.lifecycle.advice_log import AdviceLog


def study_of(model: Path) -> "Study":
    """The study of a saved policy, or of a registry's champion."""
    from posology import artifact
    from posology.workflows.over_time.champion import champion_or_model

    return artifact.load(champion_or_model(model)).study


def advice_of(service: Path, model: Path, events: "pa.Table") -> "AdviceLog":
    """What the service of this folder recommended to the patients of the events."""
    from posology.cli.serve.packages import require_packages

    require_packages()
    from posology.service.returning.add_outcomes import served_name
    from posology.service.returning.advice_log import read_advice_log
    from posology.service.returning.patients import patient_keys, served_models
    from posology.service.store.existing import existing_store

    key_of = patient_keys(service, None, plain=False)
    keys = {subject: key_of(subject) for subject in set(events["subject_id"].to_pylist())}
    with existing_store(service) as store:
        name = served_name(store.read_now(served_models), "")
        return store.read_now(read_advice_log, name, study_of(model), keys)
