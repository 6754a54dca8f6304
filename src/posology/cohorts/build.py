"""Build a cohort in memory from events and a study."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from posology.cohorts.decisions.censoring_weights import weigh_observed
from posology.cohorts.decisions.decision_table import DecisionTable, extract_decisions
from posology.cohorts.decisions.flow_diagram import study_warnings
from posology.cohorts.embedding_components import fit_reductions, reduce_embeddings
from posology.cohorts.encode import (
    fit_profile,
    refit_formulas,
    remap_codes,
    with_descriptions,
    with_units,
)
from posology.cohorts.events.chunks import code_units, group_units
from posology.cohorts.events.day_order import study_events
from posology.cohorts.images import attach_images
from posology.cohorts.part import build_part, feature_codes
from posology.cohorts.study.named_codes import check_codes_occur
from posology.cohorts.study.unit_check import check_units, compare_units
from posology.domain.codes import add_descriptions, study_codes
from posology.domain.cohort import TRAIN, Cohort
from posology.domain.formula_events import add_formula_events
from posology.domain.formulary import is_in_range
from posology.domain.history import History
from posology.domain.profile import Profile
from posology.domain.safety_rules.check import limits_doses, safety_rules
from posology.domain.study import Study
from posology.errors import StudyError, UserError


def build_cohort(
    events: pa.Table,
    study: Study,
    split: Mapping[int, int] | None = None,
    site: Mapping[int, int] | None = None,
    descriptions: Mapping[str, str | None] | None = None,
) -> Cohort:
    """Every decision of the study with its history, treatment and outcome.

    split: TRAIN, VALIDATION or TEST of each subject; others are excluded. None: split as the study
    says. site: site of each subject. descriptions: of codes, in words. Vocabulary, scaling and
    formulas are fitted on the training split alone.
    """
    study = with_names(study, descriptions or {})
    ordered = study_events(events, study)
    check_codes_occur(ordered.codes, study)
    check_units(compare_units(group_units(events), study), study)
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
    is_train = part.decided.split == TRAIN
    dose = part.decided.outcome.astype(np.float64)
    profile = refit_formulas(profile, study, history, part.subject[is_train], dose[is_train])
    history = add_formula_events(history, profile)
    profile = replace(
        with_descriptions(profile, study.names, descriptions or {}), reductions=reductions
    )
    profile = with_units(profile, code_units(events))
    cohort = assemble_cohort(part.decided, (study, profile, history), part.subject, last_step)
    warnings = study_warnings(study, part.decided, part.flow, ordered.codes)
    return replace(cohort, warnings=warnings)


def encode_cohort(
    events: pa.Table, study: Study, profile: Profile, places: Sequence[Path] = ()
) -> Cohort:
    """The study's decisions in the encoding of a saved policy, from which nothing is fitted anew.

    Codes that are not in the profile's vocabulary are left out: the policy would not know them.
    places: folders of these events, which have the images. UserError if the study reads images
    and there are none.
    """
    if study.profile.images and not places:
        raise UserError(
            f"study {study.name} reads images, and a table of events has none; give the folders "
            "that `posology ingest` wrote."
        )
    ordered = study_events(events, study)
    check_units(compare_units(group_units(events), study), study)
    ordered = reduce_embeddings(ordered, profile.reductions)
    part = build_part(ordered, study)
    codes = feature_codes(ordered.codes, study)
    history, last_step = remap_codes(part.history, part.last_step, vocabulary_rows(codes, profile))
    history = attach_images(add_formula_events(history, profile), profile, study, places)
    cohort = assemble_cohort(part.decided, (study, profile, history), part.subject, last_step)
    warnings = study_warnings(study, part.decided, part.flow, ordered.codes)
    return replace(cohort, warnings=warnings)


def with_names(study: Study, descriptions: Mapping[str, str | None]) -> Study:
    """The study with the records' descriptions as the names of its codes that have none."""
    return replace(study, names=add_descriptions(study.names, study_codes(study), descriptions))


def assemble_cohort(
    decided: DecisionTable,
    encoded: tuple[Study, Profile, History],
    subject: np.ndarray,
    last_step: np.ndarray,
) -> Cohort:
    """The Cohort of a decision table and its encoded histories."""
    study, profile, history = encoded
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
        days_followed=decided.days_followed,
        resolved_days=decided.resolved_days,
        resolved_by=decided.resolved_by,
        cost=decided.cost if study.reward.costs else None,
        cost_days=decided.cost_days if study.reward.costs else None,
        cost_resolved_by=decided.cost_resolved_by if study.reward.costs else None,
        harm=decided.harm if study.budgets else None,
        harm_days=decided.harm_days if study.budgets else None,
        diagnosis=decided.diagnosis if study.diagnosis else None,
        diagnosis_days=decided.diagnosis_days if study.diagnosis else None,
        diagnosis_resolved_by=decided.diagnosis_resolved_by if study.diagnosis else None,
        progression=decided.progression if study.progression else None,
        event_time=decided.event_time if study.time_to_event else None,
        event_observed=decided.event_observed if study.time_to_event else None,
        allowed=decided.allowed if safety_rules(study) else None,
        dose_limits=decided.dose_limits if limits_doses(study) else None,
    )
    if study.outcome.kind == "dose_class":
        cohort = _with_potential_rewards(cohort)
    weights = weigh_observed(decided, study)
    return replace(
        cohort,
        censoring_weight=weights.outcome,
        reward_weight=weights.reward,
        diagnosis_weight=weights.diagnosis,
    )


def vocabulary_rows(codes: tuple[str, ...], profile: Profile) -> np.ndarray:
    """Vocabulary row of each code; -1 if it has none."""
    row_of = {code: row for row, code in enumerate(profile.codes)}
    return np.array([row_of.get(code, -1) for code in codes], dtype=np.int32)


def check_training_decisions(decided: DecisionTable, candidates: int, study: Study) -> None:
    """Raise StudyError if no training decision remains."""
    if (decided.split == TRAIN).any():
        return
    if study.outcome.kind == "dose_class":
        raise StudyError(
            f"study {study.name}: none of {candidates} decisions remains for training; "
            f"{candidates - len(decided)} have no outcome ({', '.join(study.outcome.codes)}) "
            f"within {study.outcome.within_days:g} days."
        )
    raise StudyError(
        f"study {study.name}: none of {candidates} decisions remains for training; "
        "`posology cohort --dry-run` shows why they were excluded."
    )


def _with_potential_rewards(cohort: Cohort) -> Cohort:
    """For outcome kind `dose_class`: the stable dose gives the best option and all rewards."""
    best = _option_of_dose(cohort.outcome.astype(np.float64), cohort.study)
    rewards = np.array(cohort.study.reward.table, dtype=np.float32)[best]
    return replace(
        cohort,
        treatment=best,
        dose=cohort.outcome,
        best_treatment=best,
        potential_rewards=rewards,
        reward=rewards[np.arange(len(best)), best],
    )


def _option_of_dose(dose: np.ndarray, study: Study) -> np.ndarray:
    """The option whose dose range contains the dose; the last one if it is above all ranges."""
    best = np.full(len(dose), len(study.formulary.treatments) - 1, dtype=np.int32)
    for row, treatment in reversed(list(enumerate(study.formulary.treatments))):
        if treatment.dose is not None:
            best[is_in_range(dose, treatment.dose)] = row
    return best
