"""Small synthetic cohorts; every decision is followed by future events that no policy may read."""

from dataclasses import replace

import numpy as np

from posology.domain.cohort import DECISION_COLUMNS, Cohort
from posology.domain.formulary import DoseRange, Formulary, Treatment
from posology.domain.formulas.formula import Formula, Term
from posology.domain.history import History, offsets_from_counts
from posology.domain.policy import Policy
from posology.domain.profile import Profile
from posology.domain.study import Decision, Outcome, ProfileSpec, Reward, Rule, Split, Study

CODES = ("SEX//male", "LAB", "DRUG//a", "SIGNAL", "START", "LATER")
FORMULARY = Formulary(
    (
        Treatment("low", "low", dose=DoseRange(1.0, 21.0, "mg/wk", open_high=True)),
        Treatment("medium", "medium", dose=DoseRange(21.0, 49.0, "mg/wk")),
        Treatment("high", "high", dose=DoseRange(49.0, 175.0, "mg/wk", open_low=True)),
    ),
    DoseRange(1.0, 175.0, "mg/wk"),
)
FORMULA = Formula(
    "by_signal",
    "made up",
    "mg/wk",
    "sqrt",
    (Term("base", "one", (), 5.5), Term("signal", "value", ("SIGNAL",), 1.0)),
)
STUDY = Study(
    name="made up",
    title="made up",
    purpose="",
    limits="",
    decision=Decision(("START",), "first"),
    formulary=FORMULARY,
    outcome=Outcome(("DOSE",), "mg/wk", "dose_class", 90.0),
    reward=Reward(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), "made up"),
    rules=(
        Rule("fixed", "fixed", "made up", dose=35.0),
        Rule("formula", "formula", "made up", formula=FORMULA),
    ),
    profile=ProfileSpec(("SEX", "LAB"), 1, fill_groups=(("SEX//male",),)),
    split=Split(0.7, 0.15, 0.15, "x"),
    dose=FORMULARY.dose,
)


def _history(signal, rng):
    """Per subject: a static step, three past steps, the decision's own, and two future steps."""
    code, value, events, time = [], [], [], []
    for s in signal:
        steps: list[list[tuple[int, float]]] = [[(0, np.nan)] if rng.random() < 0.5 else [(3, s)]]
        if steps[0][0][0] == 0 and rng.random() < 0.9:
            steps[0].append((3, s))
        for _ in range(3):
            labs = [(1, rng.normal()) for _ in range(rng.integers(0, 3))]
            steps.append(labs + [(2, np.nan)] * int(rng.integers(0, 2)))
        steps += [[(4, np.nan)], [(5, rng.normal())], [(1, 99.0), (3, 99.0)]]
        time += [np.nan, *np.sort(rng.uniform(0, 99, 3)), 100.0, 130.0, 160.0]
        for step in steps:
            events.append(len(step))
            code += [c for c, _ in step]
            value += [v for _, v in step]
    n = len(signal)
    return History(
        code=np.array(code, np.int32),
        value=np.array(value, np.float32),
        event_offsets=offsets_from_counts(np.array(events, np.int64)),
        time=np.array(time, np.float64),
        step_offsets=np.arange(n + 1, dtype=np.int64) * 7,
        subject_id=np.arange(1, n + 1, dtype=np.int64),
    )


def small_cohort(seed: int, n: int, best_known: bool) -> Cohort:
    """Doses that follow SIGNAL.

    Args:
        best_known: label the best option of each decision; otherwise only the outcome of a randomly
            chosen treatment is labelled.
    """
    rng = np.random.default_rng(seed)
    signal = rng.normal(0, 1.2, n)
    dose = (5.5 + signal + rng.normal(0, 0.2, n)) ** 2
    best = np.digitize(dose, [21, 49.0001]).astype(np.int32)
    treatment = best if best_known else rng.integers(0, 3, n).astype(np.int32)
    nan = np.full(n, np.nan, np.float32)
    return Cohort(
        study=STUDY,
        profile=Profile(CODES, np.zeros(6, np.float32), np.ones(6, np.float32)),
        history=_history(signal, rng),
        subject=np.arange(n, dtype=np.int64),
        last_step=np.arange(n, dtype=np.int64) * 7 + 4,
        treatment=treatment,
        dose=dose.astype(np.float32),
        outcome=dose.astype(np.float32),
        effective=(treatment == best).astype(np.float32),
        reward=nan,
        outcome_observed=np.ones(n, bool),
        best_treatment=best if best_known else np.full(n, -1, np.int32),
        potential_rewards=np.full((n, 3), np.nan, np.float32),
        logged_probability=nan,
        split=np.zeros(n, np.int8),
        site=np.zeros(n, np.int32),
    )


def policy_outputs(
    policy: Policy, history: History, decisions: np.ndarray, allowed: np.ndarray
) -> dict[str, np.ndarray]:
    """Everything that a policy predicts, one array an output."""
    dose = policy.predict_doses(history, decisions, allowed)
    return {
        "effectiveness": policy.predict_effectiveness(history, decisions, allowed),
        "probabilities": policy.choice_probabilities(history, decisions, allowed),
        "by_treatment": dose.by_treatment,
        "overall": dose.overall,
    }


def take_decisions(cohort: Cohort, rows: np.ndarray) -> Cohort:
    """The decisions of some rows, which may repeat, with the whole history."""
    columns = {name: getattr(cohort, name) for name in DECISION_COLUMNS}
    taken = {name: None if column is None else column[rows] for name, column in columns.items()}
    return replace(cohort, subject=cohort.subject[rows], last_step=cohort.last_step[rows], **taken)
