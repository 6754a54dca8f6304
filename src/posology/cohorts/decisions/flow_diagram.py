"""Counts from the records to the study's decisions, per arm: the flow diagram of a paper."""

from dataclasses import asdict

import numpy as np

from posology.cohorts.decisions.censoring_weights import reach_warnings
from posology.cohorts.decisions.coverage import no_hours_warnings
from posology.cohorts.decisions.decision_table import DecisionTable, PatientFlow
from posology.cohorts.decisions.earlier_use import earlier_use_warnings
from posology.cohorts.decisions.follow_up_rule import follow_up_rule, follow_up_warnings
from posology.cohorts.decisions.option_calendar import calendar_warnings
from posology.cohorts.decisions.safety_findings import count_rules, safety_warnings
from posology.cohorts.decisions.treatment_leaks import find_leaks, leak_warnings
from posology.domain.cohort import SPLITS
from posology.domain.statistics.estimand import estimand_sentence
from posology.domain.study import Study

CAUSES = ("censored", "outcome", "unless", "competing", "window_end")
"""Names of `resolved_by`, in the order of its numbers."""


def summarize_flow(
    study: Study, decisions: DecisionTable, flow: PatientFlow, codes: tuple[str, ...]
) -> dict:
    """As JSON: `flow` (counts at each step, the reason), `arms`, `outcome`, `follow_up`, `split`.

    Rates are of decisions with an observed outcome: observed rates, not causal effects. codes: all
    that occur in the records.
    """
    remaining, exclusions = flow.candidates, []
    for exclusion in flow.exclusions:
        remaining -= exclusion.decisions
        exclusions.append(
            {
                "reason": exclusion.reason,
                "decisions": exclusion.decisions,
                "subjects": exclusion.subjects,
                "left": remaining,
            }
        )
    return {
        "study": study.name,
        "estimand": estimand_sentence(study),
        "warnings": list(study_warnings(study, decisions, flow, codes)),
        "flow": {
            "subjects": flow.subjects,
            "subjects_with_a_decision_point": flow.subjects_with_decision,
            "decision_points": flow.candidates,
            "left_out": exclusions,
            "decisions": len(decisions),
            "decisions_subjects": len(np.unique(decisions.subject_id)),
        },
        "earlier_use": {
            "decisions": flow.earlier_use.decisions,
            "continued": flow.earlier_use.continued,
        },
        "coverage": [asdict(target) for target in flow.coverage.targets],
        "dates_without_hours": {"dated": flow.coverage.dated, "midnight": flow.coverage.midnight},
        "safety": count_rules(study, decisions),
        "leaks": find_leaks(flow.step_codes, decisions.treatment, study),
        "arms": [
            {"title": option.title, **_arm(option.name, decisions, decisions.treatment == row)}
            for row, option in enumerate(study.formulary.treatments)
        ],
        "outcome": _all_arms(study, decisions),
        "follow_up": {
            "days_quartiles": _quartiles(decisions.days_followed),
            "rule": follow_up_rule(study, codes),
            "resolved_by": {
                name: int((decisions.resolved_by == row).sum()) for row, name in enumerate(CAUSES)
            },
            "incomplete": int((~decisions.outcome_observed).sum()),
            "ended_for_good": int(decisions.trajectory_ended.sum()),
        },
        "split": {name: int((decisions.split == row).sum()) for row, name in enumerate(SPLITS)},
    }


_IMAGES = (
    "The pixels of images are read by the network alone: `posology effect`, models of other kinds, "
    "distances from training and similar patients know only that there was an image."
)


def study_warnings(
    study: Study, decisions: DecisionTable, flow: PatientFlow, codes: tuple[str, ...]
) -> tuple[str, ...]:
    """What a reader must know before anything is learned: each with its counts and the mend."""
    return (
        *follow_up_warnings(study, decisions, codes),
        *earlier_use_warnings(study, flow.earlier_use, len(decisions)),
        *no_hours_warnings(flow.coverage, study),
        *calendar_warnings(study, decisions),
        *reach_warnings(study, decisions),
        *safety_warnings(study, decisions),
        *leak_warnings(find_leaks(flow.step_codes, decisions.treatment, study)),
        *([_IMAGES] if study.profile.images else []),
    )


def _all_arms(study: Study, decisions: DecisionTable) -> dict:
    """All options together; without a median dose where the options' doses are not comparable."""
    arm = _arm("all", decisions, np.ones(len(decisions), dtype=bool))
    return arm if study.dose is not None else {**arm, "dose_median": None}


def _arm(name: str, decisions: DecisionTable, rows: np.ndarray) -> dict:
    known = rows & ~np.isnan(decisions.effective)
    dose = decisions.dose[rows & ~np.isnan(decisions.dose)]
    return {
        "name": name,
        "decisions": int(rows.sum()),
        "complete": int((rows & decisions.outcome_observed).sum()),
        "effective": _number(decisions.effective[known].mean()) if known.any() else None,
        "dose_median": _number(np.median(dose)) if len(dose) else None,
        "days_quartiles": _quartiles(decisions.days_followed[rows]),
    }


def _quartiles(days: np.ndarray) -> list[float | None]:
    """Quartiles of the days of follow-up; None without any."""
    known = days[np.isfinite(days)]
    quartiles = np.quantile(known, (0.25, 0.5, 0.75)) if len(known) else np.full(3, np.nan)
    return [_number(x) for x in quartiles]


def _number(value: float | np.floating) -> float | None:
    return None if np.isnan(value) else float(value)
