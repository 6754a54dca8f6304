"""A made-up cohort shaped like the warfarin study, and predictions for it, to test evaluation."""

import numpy as np

from posology.domain.cohort import Cohort
from posology.domain.formulary import DoseRange, Formulary, Treatment
from posology.domain.history import History
from posology.domain.profile import Profile
from posology.domain.study import Decision, Outcome, ProfileSpec, Reward, Split, Study
from posology.evaluation.table1.predictions import Predictions

CODES = ("RACE//Asian", "RACE//White", "SEX//female", "SEX//male", "GENE//A/A", "GENE//A/G")
REWARDS = np.array([[1.0, 0.0, -1.0], [0.5, 1.0, 0.5], [-0.5, 0.2, 1.0]], np.float32)


def make_study(kind: str = "dose_class") -> Study:
    doses = (
        DoseRange(0.0, 21.0, "mg/week", open_high=True),
        DoseRange(21.0, 49.0, "mg/week"),
        DoseRange(49.0, 200.0, "mg/week", open_low=True),
    )
    names = ("low", "medium", "high")
    options = tuple(Treatment(n, f"{n} dose", dose=d) for n, d in zip(names, doses, strict=True))
    whole = DoseRange(1.0, 200.0, "mg/week")
    return Study(
        name="made_up",
        title="Made-up doses",
        purpose="To show what a report looks like.",
        limits="Not for patients: nobody here exists.",
        decision=Decision(("START",), "first"),
        formulary=Formulary(options, whole),
        outcome=Outcome(("DOSE",), "mg/week", kind, 365.0),
        reward=Reward(tuple(tuple(map(float, row)) for row in REWARDS), "our own"),
        rules=(),
        profile=ProfileSpec(("RACE", "SEX", "GENE"), 1),
        split=Split(0.7, 0.15, 0.15, "salt"),
        dose=whole,
        subgroups=(("race", ("RACE",)), ("sex", ("SEX",)), ("genotype", ("GENE",))),
    )


def make_cohort(rng: np.random.Generator, n: int = 300, each: int = 1) -> Cohort:
    """n decisions of n / each subjects; each subject has one step of three static codes."""
    subjects = n // each
    facts = np.column_stack(
        [rng.integers(0, 2, subjects), rng.integers(2, 4, subjects), rng.integers(4, 6, subjects)]
    )
    history = History(
        code=facts.ravel().astype(np.int32),
        value=np.full(3 * subjects, np.nan, np.float32),
        event_offsets=np.arange(0, 3 * subjects + 1, 3, dtype=np.int64),
        time=np.full(subjects, np.nan),
        step_offsets=np.arange(subjects + 1, dtype=np.int64),
        subject_id=np.arange(1000, 1000 + subjects, dtype=np.int64),
    )
    subject = np.repeat(np.arange(subjects, dtype=np.int64), each)
    log_dose = 3.4 - 0.5 * (facts[subject, 2] == 4) + rng.normal(0, 0.4, n)
    dose = np.exp(log_dose).astype(np.float32)
    best = (1 + (dose > 49) - (dose < 21)).astype(np.int32)
    return Cohort(
        study=make_study(),
        profile=Profile(CODES, np.zeros(6, np.float32), np.ones(6, np.float32)),
        history=history,
        subject=subject,
        last_step=subject.copy(),
        treatment=best,
        dose=dose,
        outcome=dose,
        effective=np.ones(n, np.float32),
        reward=np.ones(n, np.float32),
        outcome_observed=np.ones(n, bool),
        best_treatment=best,
        potential_rewards=REWARDS[best],
        logged_probability=np.full(n, np.nan, np.float32),
        split=np.full(n, 2, np.int8),
        site=np.zeros(n, np.int32),
    )


def make_predictions(
    rng: np.random.Generator, of: Cohort, noise: float, dose_noise: float | None = None
) -> Predictions:
    """The true doses and best options with noise: the more noise, the worse the model."""
    logits = 2.0 * np.eye(3)[of.best_treatment] + noise * rng.normal(size=(len(of), 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    dose = of.outcome * np.exp(rng.normal(0, dose_noise or noise / 4, len(of)))
    return Predictions(p, np.full_like(p, 0.05), p, dose, 0.9 * dose, 1.1 * dose)
