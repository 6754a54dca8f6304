"""Whether any outcome counts, before hours are spent on learning from them."""

import numpy as np

from posology.domain.cohort import TEST, Cohort
from posology.errors import UserError


def check_known_outcomes(cohort: Cohort) -> None:
    """UserError if of all decisions to learn from only early events could be known."""
    weight, learns = cohort.censoring_weight, cohort.split != TEST
    known = cohort.outcome_observed & learns
    if weight is None or not known.any() or np.asarray(weight)[known].any():
        return
    raise UserError(
        f"study {cohort.study.name}: its records are too short for [outcome] within_days = "
        f"{cohort.study.outcome.within_days:g}. Hardly anybody was followed so long, so that of "
        f"the {known.sum():,} known outcomes only those are known that came early, and nothing "
        "can be learned from these alone. Shorten `within_days`, or ingest longer records."
    )
