"""Encode a cohort in the profile of a policy that was fitted elsewhere."""

from dataclasses import replace

import numpy as np

from posology.cohorts.encode import remap_codes
from posology.domain.codes import vocabulary_rows
from posology.domain.cohort import Cohort
from posology.domain.formula_events import add_formula_events
from posology.domain.profile import Profile
from posology.errors import UserError


def recode_cohort(cohort: Cohort, profile: Profile) -> Cohort:
    """The same decisions as the policy of this profile would see them.

    Codes that the policy does not know are left out, and so are the results of formulas that were
    refitted on this cohort: the policy's own are added. Codes so rare that this cohort's vocabulary
    lacks them are not seen. UserError if no code is in both, or if images are features.
    """
    own = cohort.profile
    if own.reductions or profile.reductions:
        raise UserError(
            f"study {cohort.study.name}: image features of two hospitals cannot be compared; fit "
            "and judge the policy in one of them."
        )
    row_of = vocabulary_rows(profile.codes)
    refitted = {formula.event for formula in own.formulas}
    row = np.array(
        [-1 if code in refitted else row_of.get(code, -1) for code in own.codes], dtype=np.int32
    )
    if not (row >= 0).any():
        raise UserError(
            f"study {cohort.study.name}: the policy knows none of this cohort's "
            f"{len(own.codes)} codes; map the records to the same codes first."
        )
    history, last_step = remap_codes(cohort.history, cohort.last_step, row)
    return replace(
        cohort, profile=profile, history=add_formula_events(history, profile), last_step=last_step
    )
