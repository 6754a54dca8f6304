"""Evaluate a policy on the test split, next to guidelines, classical models and usual care."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Group

import posology
from posology.advice.uncertainty.evidence import EVIDENCE as UNCERTAINTY
from posology.advice.uncertainty.evidence import NOT_MEASURED, UncertaintyEvidence
from posology.artifact import Artifact
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Policy
from posology.domain.serialization import deserialize
from posology.errors import UserError
from posology.evaluation.off_policy.trajectory_value import TrajectoryValue
from posology.evaluation.table1.comparison import Table1, compare_models, to_rows
from posology.evaluation.table1.predictions import (
    Predictions,
    predict_cohort,
    usual_care_predictions,
)
from posology.evaluation.table1.subgroups import find_subgroups, score_subgroups
from posology.learners.baselines import baselines, guidelines
from posology.report.effects.page import write_effect_page
from posology.report.table1.cases import select_cases_by_margin
from posology.report.table1.content import Table1Content
from posology.report.table1.page import write_table1_page
from posology.report.table1.terminal import render_table1
from posology.report.trajectories.terminal import render_trajectory_value
from posology.workflows.effect_content import has_trajectories
from posology.workflows.effect_study import EffectResult
from posology.workflows.policy_value import (
    CLASSICAL,
    Comparators,
    ValueSettings,
    estimate_policy_value,
)
from posology.workflows.progress import Progress, no_progress, stored_learning_curves
from posology.workflows.results import Row, format_now, render_text, rows_to_table
from posology.workflows.trajectory_value import estimate_trajectory_value, trajectory_rows
from posology.workflows.uncertainty.measure import coverage_rows


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """A policy and what a saved one adds to it."""

    policy: Policy
    evidence: dict[str, Any] = field(default_factory=dict)
    digest: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TruthEvaluation:
    """A policy compared with the most effective option of each decision, where that is known."""

    table: Table1
    """Accuracy, dose error and expected reward of every model, with intervals and tests."""
    predictions: dict[str, Predictions]
    """Of each model, for the test split."""
    test: Cohort
    policy: Policy
    evidence: dict[str, Any]
    digest: str | None

    @property
    def rows(self) -> list[Row]:
        """Every metric of every model, and the coverage of both dose intervals."""
        stored = self.evidence.get(UNCERTAINTY)
        found = NOT_MEASURED if stored is None else deserialize(UncertaintyEvidence, stored, {})
        coverage = coverage_rows(self.predictions["posology"], self.test, found.dose)
        return [*to_rows(self.table), *coverage]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def summary(self) -> str:
        """Table 1 as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Group:
        return render_table1(self.table)

    def report(self, path: str | Path) -> None:
        """Write the page, one HTML file."""
        test, patients = self.test, len(np.unique(self.test.subject))
        reference, rng = self.predictions[self.table.reference], np.random.default_rng(0)
        groups = find_subgroups(test)
        content = Table1Content(
            study=test.study,
            cohort=test,
            predictions=self.predictions,
            table=self.table,
            evidence=(
                f"{len(test):,} decisions of {patients:,} patients of the cohort's test split, "
                "whom no model saw before."
            ),
            groups=score_subgroups(reference, test, groups, ("accuracy",), rng),
            learning=stored_learning_curves(self.evidence),
            cases=select_cases_by_margin(self.policy, test),
            footer=(
                ("posology", posology.__version__),
                *((("model", self.digest[:16]),) if self.digest is not None else ()),
                ("made", format_now()),
            ),
        )
        write_table1_page(content, Path(path))


@dataclass(frozen=True, slots=True, eq=False)
class ValueEvaluation:
    """The estimated value of following a policy, where records hold one outcome per decision."""

    effects: EffectResult
    trajectories: TrajectoryValue | None
    """Value of whole trajectories; None where the study does not count later decisions, or no
    trajectory was followed to its end."""
    evidence: dict[str, Any]

    @property
    def rows(self) -> list[Row]:
        """The verdict, then every figure, decision by decision and over trajectories."""
        study = self.effects.cohort.study.name
        return [*self.effects.rows, *trajectory_rows(study, self.trajectories)]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def summary(self) -> str:
        """The verdict and its tables as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Group:
        parts = [self.effects.__rich__()]
        if self.trajectories is not None:
            parts.append(render_trajectory_value(self.trajectories))
        return Group(*parts)

    def report(self, path: str | Path) -> None:
        """Write the page, one HTML file."""
        content = replace(
            self.effects.page,
            is_saved_policy=True,
            trajectory_value=self.trajectories,
            learning=stored_learning_curves(self.evidence),
        )
        write_effect_page(content, Path(path))


def evaluate(
    model: Artifact | Policy,
    cohort: Cohort,
    max_decisions: int = 20_000,
    seed: int = 0,
    progress: Progress = no_progress,
    beside: Comparators = CLASSICAL,
) -> TruthEvaluation | ValueEvaluation:
    """Evaluate a policy on the test split of the cohort that it was fitted on.

    Where the most effective option is known, from the outcome itself or from a simulator's truth:
    accuracy, dose error and reward, next to all baselines. Otherwise the doubly robust value of
    following the policy, and the value of whole trajectories where the study counts later
    decisions.

    Args:
        model: a saved policy, or a policy.
        cohort: with a test split that the policy was not fitted on.
        max_decisions: where no truth is known, the most decisions outside the test split from
            which propensities and outcomes are learned.
        seed: the same seed gives the same result.
        progress: called with each step.
        beside: whether classical models are fitted (the gate needs none), and other policies, as
            of `read_predictions`.
    """
    if isinstance(model, Artifact):
        loaded = _Model(model.policy, model.evidence, model.digest)
    else:
        loaded = _Model(model)
    codes = loaded.policy.profile.codes
    if codes != cohort.profile.codes:
        raise UserError(
            f"the policy was fitted on another vocabulary than this cohort's ({len(codes)} and "
            f"{len(cohort.profile.codes)} codes); evaluate it on the cohort it was fitted on, "
            "whose test split it has not seen."
        )
    test = select_split(cohort, TEST)
    if not len(test):
        raise UserError(f"study {cohort.study.name}: its test split is empty ([split] test).")
    if (test.best_treatment >= 0).any():
        return _against_truth(loaded, cohort, seed, progress, beside)
    limits = ValueSettings(max_decisions, seed, beside)
    return _from_records(loaded, cohort, limits, progress)


def _against_truth(
    model: _Model, cohort: Cohort, seed: int, progress: Progress, beside: Comparators
) -> TruthEvaluation:
    train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    predictions = {"posology": predict_cohort(model.policy, test)}
    for name, make in baselines(train, validation) if beside.baselines else guidelines(train):
        progress(f"baseline: {name}")
        predictions[name] = predict_cohort(make(), test)
    for name, other in beside.policies.items():
        predictions[name] = predict_cohort(other, test)
    if (test.treatment >= 0).all():
        predictions["usual"] = usual_care_predictions(test)
    progress("2,000 resamples")
    table = compare_models(predictions, test, np.random.default_rng(seed))
    return TruthEvaluation(table, predictions, test, model.policy, model.evidence, model.digest)


def _from_records(
    model: _Model, cohort: Cohort, settings: ValueSettings, progress: Progress
) -> ValueEvaluation:
    effects, rng = estimate_policy_value(model.policy, cohort, settings, progress)
    effects = replace(effects, model=model.digest)
    trajectories = None
    if has_trajectories(cohort):
        trajectories = estimate_trajectory_value(
            model.policy, effects, settings.max_decisions, rng, progress
        )
    return ValueEvaluation(effects, trajectories, model.evidence)
