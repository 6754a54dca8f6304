"""One patient as a History in a policy's profile, checked against what the profile knows."""

import numpy as np
import pyarrow as pa

from posology.cohorts.embedding_components import reduced
from posology.cohorts.encode import history_of, unknown_codes
from posology.cohorts.events.kidney import with_kidney
from posology.cohorts.events.stream import stream
from posology.domain.formulas.events import with_formula_events
from posology.domain.history import History
from posology.domain.profile import Profile
from posology.domain.study import Study
from posology.errors import RecordError


def encode_patient(
    events: pa.Table, study: Study, profile: Profile
) -> tuple[History, tuple[str, ...]]:
    """The patient's History up to now, and the codes the profile has never met.

    The decision is now: its last visible step is the History's last one. Raises RecordError where
    a number is not one, or where nothing the profile knows is left.
    """
    ordered = reduced(with_kidney(stream(events), study), profile.reductions)
    unmet = tuple(unknown_codes(ordered, profile.codes))
    for code in unmet:
        parent = code.rpartition("//")[0]
        if parent in numeric_codes(profile):
            raise RecordError(
                f"patient file: `{parent}` must be a number, not {code.rpartition('//')[2]!r}."
            )
    treatments = tuple(code for t in study.formulary.treatments for code in t.codes)
    subjects = np.unique(ordered.subject_id)
    bare = history_of(ordered, subjects, profile.codes, treatments)
    if len(bare.code) == 0:
        raise RecordError(
            "patient file: none of its codes is known to this model "
            f"({', '.join(unmet[:5])}); compare `posology template`."
        )
    return with_formula_events(bare, profile), unmet


def numeric_codes(profile: Profile) -> frozenset[str]:
    """Codes that carried numbers in training."""
    scaled = (profile.center != 0) | (profile.spread != 1)
    return frozenset(
        code for code, is_number in zip(profile.codes, scaled, strict=True) if is_number
    )
