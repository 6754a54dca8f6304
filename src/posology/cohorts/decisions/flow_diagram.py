"""How the records became the study's decisions, arm by arm: what a paper's figure 1 shows."""

import numpy as np

from posology.cohorts.decisions.decision_table import DecisionTable, PatientFlow
from posology.domain.cohort import SPLITS
from posology.domain.study import Study


def summarize_flow(study: Study, decided: DecisionTable, flow: PatientFlow) -> dict:
    """As JSON: `flow` (n at each step with the reason), `arms`, `outcome`, `follow_up`, `split`.

    Rates are of complete decisions; they are what was seen, not what an option causes.
    """
    left, losses = flow.points, []
    for loss in flow.losses:
        left -= loss.decisions
        losses.append(
            {"reason": loss.reason, "decisions": loss.decisions, "subjects": loss.subjects,
             "left": left}
        )  # fmt: skip
    followed = decided.days_followed[np.isfinite(decided.days_followed)]
    spread = np.quantile(followed, (0.25, 0.5, 0.75)) if len(followed) else np.full(3, np.nan)
    return {
        "study": study.name,
        "flow": {
            "subjects": flow.subjects,
            "subjects_with_a_decision_point": flow.marked,
            "decision_points": flow.points,
            "left_out": losses,
            "decisions": len(decided),
            "decisions_subjects": len(np.unique(decided.subject_id)),
        },
        "arms": [_arm(name, decided, decided.treatment == row)
                 for row, name in enumerate(study.formulary.names)],
        "outcome": _outcome(study, decided),
        "follow_up": {"days_quartiles": [_number(x) for x in spread],
                      "incomplete": int((~decided.outcome_observed).sum()),
                      "ended_for_good": int(decided.trajectory_ended.sum())},
        "split": {name: int((decided.split == row).sum()) for row, name in enumerate(SPLITS)},
    }  # fmt: skip


def _outcome(study: Study, decided: DecisionTable) -> dict:
    """Of all options together; milligrams of one drug and of another are no one dose."""
    told = _arm("all", decided, np.ones(len(decided), dtype=bool))
    return told if study.dose is not None else {**told, "dose_median": None}


def _arm(name: str, decided: DecisionTable, rows: np.ndarray) -> dict:
    known = rows & ~np.isnan(decided.effective)
    dose = decided.dose[rows & ~np.isnan(decided.dose)]
    return {
        "name": name,
        "decisions": int(rows.sum()),
        "complete": int((rows & decided.outcome_observed).sum()),
        "effective": _number(decided.effective[known].mean()) if known.any() else None,
        "dose_median": _number(np.median(dose)) if len(dose) else None,
    }


def _number(value: float | np.floating) -> float | None:
    return None if np.isnan(value) else float(value)
