"""Encode one patient as a History in a policy's profile, and check the values."""

import numpy as np
import pyarrow as pa

from posology.cohorts.embedding_components import reduce_embeddings
from posology.cohorts.encode import build_history, unknown_codes
from posology.cohorts.events.kidney import add_kidney_events
from posology.cohorts.events.stream import sort_events
from posology.domain.formula_events import add_formula_events
from posology.domain.history import History
from posology.domain.profile import Profile
from posology.domain.study import Study
from posology.errors import RecordError


def encode_patient(
    events: pa.Table, study: Study, profile: Profile
) -> tuple[History, tuple[str, ...]]:
    """The patient's History up to now, and their codes that are not in the vocabulary.

    The decision is now: its last visible step is the History's last. RecordError if a value that
    must be a number is not, or if none of its codes is in the vocabulary.
    """
    ordered = reduce_embeddings(add_kidney_events(sort_events(events), study), profile.reductions)
    unknown = tuple(unknown_codes(ordered, profile.codes))
    for code in unknown:
        parent = code.rpartition("//")[0]
        if parent in numeric_codes(profile):
            raise RecordError(
                f"patient file: `{parent}` must be a number, not {code.rpartition('//')[2]!r}."
            )
    treatments = tuple(code for t in study.formulary.treatments for code in t.codes)
    subjects = np.unique(ordered.subject_id)
    history = build_history(ordered, subjects, profile.codes, treatments)
    if len(history.code) == 0:
        raise RecordError(
            f"patient file: the policy knows none of its facts ({', '.join(unknown[:5])}); "
            "compare `posology template`."
        )
    return add_formula_events(history, profile), unknown


def numeric_codes(profile: Profile) -> frozenset[str]:
    """Codes that have numeric values in the training data."""
    scaled = (profile.center != 0) | (profile.spread != 1)
    return frozenset(
        code for code, is_number in zip(profile.codes, scaled, strict=True) if is_number
    )
