"""The cohort of events that came after a policy was fitted, in the policy's own encoding."""

from collections.abc import Mapping

import pyarrow as pa

from posology.cohorts.build import assemble_cohort, vocabulary_rows
from posology.cohorts.embedding_components import reduce_embeddings
from posology.cohorts.encode import remap_codes
from posology.cohorts.events.chunks import group_units
from posology.cohorts.events.day_order import study_events
from posology.cohorts.part import build_part, feature_codes
from posology.cohorts.study.unit_check import check_units, compare_units
from posology.domain.cohort import Cohort
from posology.domain.formula_events import add_formula_events
from posology.domain.profile import Profile
from posology.domain.study import Study


def build_cohort_of_new_events(
    events: pa.Table, study: Study, profile: Profile, split: Mapping[int, int] | None = None
) -> Cohort:
    """Every decision in the events, encoded as the policy's training patients were.

    Codes without a row in the profile are left out; nothing is fitted.

    Args:
        events: MEDS events of whole patients, their past included.
        split: of each subject; None: as the study says.
    """
    ordered = study_events(events, study)
    check_units(compare_units(group_units(events), study), study)
    if profile.reductions:
        ordered = reduce_embeddings(ordered, profile.reductions)
    part = build_part(ordered, study, split)
    rows = vocabulary_rows(feature_codes(ordered.codes, study), profile)
    history, last_step = remap_codes(part.history, part.last_step, rows)
    history = add_formula_events(history, profile)
    return assemble_cohort(part.decided, (study, profile, history), part.subject, last_step)
