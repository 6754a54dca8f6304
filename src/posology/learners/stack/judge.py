"""What each member of a stack adds, on patients that no member learned from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.cohort import Cohort
from posology.domain.policy import Policy, allow_all_treatments
from posology.learners.outcome_models.design import (
    Labels,
    dose_errors,
    extract_labels,
    log_losses,
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
    by site; 0, as is the network's, where there is one of them only."""
    decisions: int
    standard_error: float = 0.0
    """Of the difference, over patients, or over sites where the study splits by site."""

    @property
    def difference(self) -> float:
        """Loss of the stack less that of the network."""
        return self.stack - self.network

    @property
    def helps(self) -> bool:
        """Whether the network alone is not better by one standard error of the difference.

        Among hundreds of patients the noise of the difference is about as large as what a stack
        gains, so that its sign alone would refuse one good stack in six. With as much expected of
        stacks beforehand as the noise is large, more speaks against one only from here on.
        """
        return self.difference < self.standard_error


@dataclass(frozen=True, slots=True)
class Judgement:
    """Weights and losses on validation patients."""

    effectiveness_weight: Weights
    dose_weight: Weights
    members: tuple[MemberScore, ...]
    scores: tuple[StackScore, ...]

    @property
    def helps(self) -> bool:
        """Whether the stack has an answer of the network's."""
        return any(score.helps for score in self.scores)


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """The members' predictions of what one loss judges, where they and the truth are known."""

    name: str
    predictions: Float64[np.ndarray, "policy decision ..."]
    labels: Labels
    loss: Callable[[np.ndarray, Labels], Float64[np.ndarray, " decision"]]
    unit: Int64[np.ndarray, " decision"]
    """The patient, or the site where the study splits by site."""
    half: Bool[np.ndarray, " decision"]
    """One half of the units."""

    def __len__(self) -> int:
        return self.predictions.shape[1]

    def losses(self, weights: Weights) -> Float64[np.ndarray, " decision"]:
        """Loss of the weighted mean on each decision."""
        return self.loss(np.tensordot(weights, self.predictions, 1), self.labels)

    def mixed(self, weights: Weights, rows: Bool[np.ndarray, " decision"] | slice) -> float:
        """Mean loss of the weighted mean on some decisions."""
        mean = np.tensordot(weights, self.predictions[:, rows], 1)
        return float(self.loss(mean, select_labels(self.labels, np.arange(len(self))[rows])).mean())

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
    """The stack on each half of the units with weights of the other half, and the network."""
    members = len(answers.predictions)
    halves = (answers.half, ~answers.half)
    if not all(half.any() for half in halves):
        return StackScore(answers.name, 0.0, 0.0, len(answers))
    network = answers.losses(np.eye(members)[0])
    stack = np.empty(len(answers))
    for rows in halves:
        stack[rows] = answers.losses(answers.fit(range(members), ~rows))[rows]
    return StackScore(
        answers.name,
        float(network.mean()),
        float(stack.mean()),
        len(answers),
        _standard_error(stack - network, answers.unit),
    )


def _standard_error(
    values: Float64[np.ndarray, " decision"], unit: Int64[np.ndarray, " decision"]
) -> float:
    """Of their mean, where the values of one unit go together."""
    sums = np.bincount(np.unique(unit, return_inverse=True)[1], values - values.mean())
    return float(np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / len(values))


def _answers(policies: Sequence[Policy], validation: Cohort, seed: int) -> list[_Answers]:
    """One for each loss that has a known label.

    The outcome of the option received judges how ill patients are, hardly what the options differ
    in (docs/stack.md), so that there the network keeps the options to itself.
    """
    labels = extract_labels(validation)
    allowed = allow_all_treatments(validation.last_step, validation.study.formulary)
    asked = (validation.history, validation.last_step, allowed)
    p = np.stack([policy.predict_effectiveness(*asked).mean(2) for policy in policies])
    dose = np.stack([policy.predict_doses(*asked).overall.mean(1) for policy in policies])
    has_label = labels.best >= 0
    has_dose = ~np.isnan(labels.dose) & ~np.isnan(dose).any(axis=0)
    unit = independent_units(validation)
    units = int(unit.max(initial=-1)) + 1
    half = (np.random.default_rng(seed).permutation(units) < units / 2)[unit]
    judged = [(LOG_LOSS, p, has_label, log_losses), (DOSE_ERROR, dose, has_dose, dose_errors)]
    return [
        _Answers(
            name, values[:, known], select_labels(labels, known), loss, unit[known], half[known]
        )
        for name, values, known, loss in judged
        if known.any()
    ]
