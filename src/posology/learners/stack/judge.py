"""What each member of a stack adds, on patients that no member learned from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from posology.domain.cohort import Cohort
from posology.domain.policy import Policy, allow_all_treatments
from posology.learners.outcome_models.design import (
    Labels,
    extract_labels,
    mean_dose_error,
    mean_log_loss,
    select_labels,
)
from posology.learners.stack.members import independent_units
from posology.learners.stack.weights import fit_weights

LOG_LOSS, DOSE_ERROR = "log_loss", "dose_error"
"""Of P(effective), and the mean absolute error of the dose in the study's unit."""
Weights = Float64[np.ndarray, " policy"]


@dataclass(frozen=True, slots=True)
class MemberScore:
    """One member by one loss."""

    member: str
    loss: str
    """LOG_LOSS or DOSE_ERROR."""
    weight: float
    alone: float
    """Loss of this member alone."""
    without: float
    """Loss of the stack of the others, with their own weights."""


@dataclass(frozen=True, slots=True)
class StackScore:
    """The stack and the network alone by one loss."""

    loss: str
    network: float
    stack: float
    """With weights fitted on the other half of the patients, or of the sites where the study splits
    by site."""
    decisions: int

    @property
    def helps(self) -> bool:
        """Whether the stack's loss is the lower one."""
        return self.stack < self.network


@dataclass(frozen=True, slots=True)
class Judgement:
    """Weights and losses on validation patients."""

    effectiveness_weight: Weights
    dose_weight: Weights
    members: tuple[MemberScore, ...]
    scores: tuple[StackScore, ...]

    @property
    def helps(self) -> bool:
        """Whether a loss of the stack is lower than the network's."""
        return any(score.helps for score in self.scores)


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """The members' predictions of what one loss judges, where they and the truth are known."""

    name: str
    predictions: Float64[np.ndarray, "policy decision ..."]
    labels: Labels
    loss: Callable[[np.ndarray, Labels], float]
    half: Bool[np.ndarray, " decision"]

    def __len__(self) -> int:
        return self.predictions.shape[1]

    def mixed(self, weights: Weights, rows: Bool[np.ndarray, " decision"] | slice) -> float:
        """Loss of the weighted mean on some decisions."""
        mean = np.tensordot(weights, self.predictions[:, rows], 1)
        return self.loss(mean, select_labels(self.labels, np.arange(len(self))[rows]))

    def fit(self, members: Sequence[int], rows: Bool[np.ndarray, " decision"] | slice) -> Weights:
        """Weights of some members on some decisions; 0 for the others."""
        weights = np.zeros(len(self.predictions))

        def loss(some: Weights) -> float:
            weights[list(members)] = some
            return self.mixed(weights, rows)

        known = len(np.arange(len(self))[rows])
        weights[list(members)] = fit_weights(loss, len(members), known)
        return weights


def judge_members(
    names: Sequence[str], policies: Sequence[Policy], validation: Cohort, seed: int
) -> Judgement:
    """Weights of the policies, of which the first is the network, and what each adds.

    By a loss that the stack does not lower, the network has the whole weight.

    Args:
        policies: they learned from none of the validation patients.
        seed: of the halves on which weights are fitted to judge the stack on the other half.
    """
    answers = _answers(policies, validation, seed)
    alone = np.eye(len(policies))[0]
    scores = tuple(_score_stack(a) for a in answers)
    weights = {
        a.name: a.fit(range(len(policies)), slice(None)) if score.helps else alone
        for a, score in zip(answers, scores, strict=True)
    }
    return Judgement(
        effectiveness_weight=weights.get(LOG_LOSS, alone),
        dose_weight=weights.get(DOSE_ERROR, alone),
        members=tuple(
            _score_member(a, number, name, weights[a.name])
            for a in answers
            for number, name in enumerate(names)
        ),
        scores=scores,
    )


def _score_member(answers: _Answers, number: int, name: str, weights: Weights) -> MemberScore:
    alone, every = np.eye(len(weights))[number], slice(None)
    others = [m for m in range(len(weights)) if m != number]
    return MemberScore(
        member=name,
        loss=answers.name,
        weight=float(weights[number]),
        alone=answers.mixed(alone, every),
        without=answers.mixed(answers.fit(others, every), every),
    )


def _score_stack(answers: _Answers) -> StackScore:
    members = len(answers.predictions)
    network = np.eye(members)[0]
    total = {"network": 0.0, "stack": 0.0}
    for rows in (answers.half, ~answers.half):
        if not rows.any() or rows.all():
            continue
        weights = answers.fit(range(members), ~rows)
        total["network"] += answers.mixed(network, rows) * float(rows.mean())
        total["stack"] += answers.mixed(weights, rows) * float(rows.mean())
    return StackScore(answers.name, total["network"], total["stack"], len(answers))


def _answers(policies: Sequence[Policy], validation: Cohort, seed: int) -> list[_Answers]:
    """One for each loss that has a known label."""
    labels = extract_labels(validation)
    allowed = allow_all_treatments(validation.last_step, validation.study.formulary)
    asked = (validation.history, validation.last_step, allowed)
    p = np.stack([policy.predict_effectiveness(*asked).mean(2) for policy in policies])
    dose = np.stack([policy.predict_doses(*asked).overall.mean(1) for policy in policies])
    has_label = labels.best >= 0 if labels.is_multiclass else ~np.isnan(labels.effective)
    has_dose = ~np.isnan(labels.dose) & ~np.isnan(dose).any(axis=0)
    unit = independent_units(validation)
    units = int(unit.max(initial=-1)) + 1
    half = (np.random.default_rng(seed).permutation(units) < units / 2)[unit]
    parts = [(LOG_LOSS, p, has_label, mean_log_loss), (DOSE_ERROR, dose, has_dose, mean_dose_error)]
    return [
        _Answers(name, values[:, known], select_labels(labels, known), loss, half[known])
        for name, values, known, loss in parts
        if known.any()
    ]
