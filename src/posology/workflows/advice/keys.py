"""Keys of the evidence that `fit` keeps for later answers."""

EFFECTS, DOSE, RULES = "effects", "dose", "rules"
STUDY, PATIENTS, FEATURES, ARRAYS, NOT_JUDGED = "study", "patients", "features", "arrays", "reason"
"""Of the evidence on effects; the last alone, where there is none."""
PLANS = "plans"
"""The model of a value under planned treatments."""
