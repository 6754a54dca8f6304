"""The guideline as a rule, for the benchmark: it sees only what is in the records."""

import numpy as np
from jaxtyping import Int64

from posology.simulators.clinic.decisions import Decisions
from posology.simulators.clinic.options import DPP4, GLP1, SGLT2, SU, TZD

SOURCE = (
    "Management of hyperglycaemia in type 2 diabetes, 2022: a consensus report by ADA and EASD "
    "(Davies 2022, Diabetes Care 45:2753, doi:10.2337/dci22-0034), reduced to the five options"
)
OBESE, HIGH = 30.0, 75.0
"""BMI at which weight management leads, and HbA1c (mmol/mol, 9 %) at which efficacy does. The
consensus names weight and glycaemic need without one cut-off; these are my reading."""


def order(failing: bool, vascular: bool, egfr: float, bmi: float, hba1c: float) -> tuple[int, ...]:
    """Options by preference.

    Heart failure or chronic kidney disease: SGLT2 inhibitor, then GLP-1 agonist (below an eGFR of
    20 the SGLT2 inhibitor is not started). Atherosclerotic disease: GLP-1 agonist or SGLT2
    inhibitor. Otherwise glycaemic need and weight: GLP-1 agonists first where HbA1c or weight is
    high, else SGLT2 inhibitor; DPP-4 inhibitors, thiazolidinediones (not in heart failure) and
    sulfonylureas after them.
    """
    rest = (DPP4, SU) if failing else (DPP4, TZD, SU)
    if egfr < 20:
        return (GLP1, *rest, SGLT2)
    if failing or egfr < 60:
        return (SGLT2, GLP1, *rest)
    if vascular or bmi >= OBESE or hba1c >= HIGH:
        return (GLP1, SGLT2, *rest)
    return (SGLT2, GLP1, *rest)


def consensus_2022(decisions: Decisions) -> Int64[np.ndarray, " decision"]:
    """The first option of the consensus that was not stopped for intolerance and has not failed.

    An option that is being taken has failed, or there would be no decision; where all that remain
    failed or were stopped, the first that was not stopped is taken, else the first.
    """
    d = decisions
    out = np.empty(len(d.option), np.int64)
    for row in range(len(out)):
        ranked = order(bool(d.failing[row]), bool(d.vascular[row]), float(d.egfr[row]),
                       float(d.bmi[row]), float(d.reported[row]))  # fmt: skip
        bearable = [k for k in ranked if not d.stopped[row, k]] or list(ranked)
        fresh = [k for k in bearable if not d.tried[row, k]] or bearable
        out[row] = fresh[0]
    return out
