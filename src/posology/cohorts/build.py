"""Events and a study become a cohort."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from posology.cohorts.censoring_weights import censoring_weights
from posology.cohorts.decisions.decision_table import DecisionTable, extract_decisions
from posology.cohorts.embedding_components import fit_reductions, reduce_embeddings
from posology.cohorts.encode import fit_profile, refit_formulas, remap_codes, with_descriptions
from posology.cohorts.events.kidney import add_kidney_events
from posology.cohorts.events.stream import sort_events
from posology.cohorts.part import build_part, feature_codes
from posology.cohorts.study.code_check import check_codes_occur
from posology.domain.cohort import TRAIN, Cohort
from posology.domain.formulary import is_in_range
from posology.domain.formulas.events import add_formula_events
from posology.domain.history import History
from posology.domain.profile import Profile
from posology.domain.study import Study
from posology.errors import StudyError


def build_cohort(
    events: pa.Table,
    study: Study,
    split: Mapping[int, int] | None = None,
    site: Mapping[int, int] | None = None,
    meanings: Mapping[str, str | None] | None = None,
) -> Cohort:
    """Every decision of the study with what was known, what was done and what came of it.

    split: subject to TRAIN, VALIDATION or TEST; as the study splits where not given. Subjects
    it leaves out are left out. site: subject to site. meanings: what codes mean in words. Only
    the training split is learned from.
    """
    ordered = add_kidney_events(sort_events(events), study)
    check_codes_occur(ordered.codes, study)
    reductions = ()
    if study.profile.embedding_components is not None:
        decided, _ = extract_decisions(ordered, study, split, site)
        reductions = fit_reductions(ordered, decided, study.profile.embedding_components)
        ordered = reduce_embeddings(ordered, reductions)
    part = build_part(ordered, study, split, site)
    check_training_decisions(part.decided, part.flow.candidates, study)
    codes = feature_codes(ordered.codes, study)
    profile = fit_profile(part.statistics, codes, study)
    history, last_step = remap_codes(part.history, part.last_step, vocabulary_rows(codes, profile))
    learns = part.decided.split == TRAIN
    dose = part.decided.outcome.astype(np.float64)
    profile = refit_formulas(profile, study, history, part.subject[learns], dose[learns])
    history = add_formula_events(history, profile)
    profile = replace(with_descriptions(profile, meanings or {}), reductions=reductions)
    return assemble_cohort(part.decided, (study, profile, history), part.subject, last_step)


def assemble_cohort(
    decided: DecisionTable,
    what: tuple[Study, Profile, History],
    subject: np.ndarray,
    last_step: np.ndarray,
) -> Cohort:
    """The Cohort of decisions whose history is encoded in the profile."""
    study, profile, history = what
    count, options = len(decided), len(study.formulary.treatments)
    cohort = Cohort(
        study=study,
        profile=profile,
        history=history,
        subject=subject.astype(np.int64),
        last_step=last_step.astype(np.int64),
        treatment=decided.treatment,
        dose=decided.dose,
        outcome=decided.outcome,
        effective=decided.effective,
        reward=decided.reward,
        outcome_observed=decided.outcome_observed,
        best_treatment=np.full(count, -1, np.int32),
        potential_rewards=np.full((count, options), np.nan, np.float32),
        logged_probability=np.full(count, np.nan, np.float32),
        split=decided.split,
        site=decided.site,
        time=decided.time,
        trajectory_ended=decided.trajectory_ended,
        target_distance=decided.target_distance
        if study.outcome.kind in ("value_in_range", "change")
        else None,
        diagnosis=decided.diagnosis if study.diagnosis else None,
        progression=decided.progression if study.progression else None,
        event_time=decided.event_time if study.time_to_event else None,
        event_observed=decided.event_observed if study.time_to_event else None,
    )
    if study.outcome.kind == "dose_class":
        return _dose_class(cohort)
    if study.follow_up.weighted_by:
        return replace(cohort, censoring_weight=censoring_weights(decided, options))
    return cohort


def vocabulary_rows(codes: tuple[str, ...], profile: Profile) -> np.ndarray:
    """The profile's row of each code, -1 where it has none."""
    number = {code: row for row, code in enumerate(profile.codes)}
    return np.array([number.get(code, -1) for code in codes], dtype=np.int32)


def check_training_decisions(decided: DecisionTable, points: int, study: Study) -> None:
    """Raise StudyError where no decision is left to learn from."""
    if (decided.split == TRAIN).any():
        return
    if study.outcome.kind == "dose_class":
        raise StudyError(
            f"study {study.name}: none of {points} decisions is left to learn from; "
            f"{points - len(decided)} have no outcome ({', '.join(study.outcome.codes)}) within "
            f"{study.outcome.within_days:g} days."
        )
    raise StudyError(
        f"study {study.name}: none of {points} decisions is left to learn from; "
        "`posology cohort` with --dry-run shows where they went."
    )


def _dose_class(cohort: Cohort) -> Cohort:
    """The outcome is the dose that proved right, so the right option and every reward are known."""
    best = _option(cohort.outcome.astype(np.float64), cohort.study)
    rewards = np.array(cohort.study.reward.table, dtype=np.float32)[best]
    return replace(
        cohort,
        treatment=best,
        dose=cohort.outcome,
        best_treatment=best,
        potential_rewards=rewards,
        reward=rewards[np.arange(len(best)), best],
    )


def _option(dose: np.ndarray, study: Study) -> np.ndarray:
    """The option whose dose range holds the dose; the highest where it lies above them all."""
    best = np.full(len(dose), len(study.formulary.treatments) - 1, dtype=np.int32)
    for row, treatment in reversed(list(enumerate(study.formulary.treatments))):
        if treatment.dose is not None:
            best[is_in_range(dose, treatment.dose)] = row
    return best
