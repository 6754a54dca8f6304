"""Put a stack around a fitted network where it helps on validation patients."""

import os
from dataclasses import dataclass

from posology.domain.cohort import Cohort
from posology.domain.policy import Policy
from posology.learners.features.rewards import has_next_decision
from posology.learners.network.policy import NetworkPolicy
from posology.learners.stack.judge import DOSE_ERROR, LOG_LOSS, MemberScore, StackScore
from posology.learners.stack.learner import FitNetwork, OtherMembers, StackLearner
from posology.workflows.progress import Progress
from posology.workflows.results import Row

EVIDENCE = "stack"
"""Key of the evidence on the members."""
_TITLES = {LOG_LOSS: "log loss of the options", DOSE_ERROR: "error of the dose"}


@dataclass(frozen=True, slots=True)
class StackEvidence:
    """What each member adds on validation patients, and whether they are stacked."""

    is_used: bool
    why: str
    """One sentence."""
    members: tuple[MemberScore, ...] = ()
    """Empty where the other members were not fitted."""
    scores: tuple[StackScore, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Stacked:
    """The policy to keep, and the one to measure with on validation patients."""

    policy: Policy
    judged: Policy
    """It learned from no validation patient."""
    evidence: StackEvidence


def stack_around(
    first: NetworkPolicy,
    cohorts: tuple[Cohort, Cohort],
    learner: StackLearner,
    progress: Progress,
    fit_network: FitNetwork,
) -> Stacked:
    """The stack where it helps on the validation patients, else the network alone.

    Args:
        first: learned from the first cohort, training, and chose on the second, validation.
        fit_network: fits the stack's network on all patients.
    """
    train, validation = cohorts
    reason = reason_against_stack(train)
    if not reason:
        progress("stack: fitting the other members")
        others = learner.fit_members(train, validation)
        reason = "" if others.learners else "there are too many decisions for the other members."
    if reason:
        return Stacked(first, first, StackEvidence(False, f"The network stands alone: {reason}"))
    return _weigh(first, others, cohorts, learner, (progress, fit_network))


def _weigh(
    first: NetworkPolicy,
    others: OtherMembers,
    cohorts: tuple[Cohort, Cohort],
    learner: StackLearner,
    run: tuple[Progress, FitNetwork],
) -> Stacked:
    progress, fit_network = run
    progress("stack: weights on validation patients")
    trial = learner.judge(first, others, *cohorts)
    helps = trial.judgement.helps
    why = (
        "The network is stacked with other models: validation patients do not speak against it."
        if helps
        else "The network stands alone: validation patients speak against other models."
    )
    if any(score.helps and score.difference < 0 for score in trial.judgement.scores):
        why = "The network is stacked with other models: that helps on validation patients."
    evidence = StackEvidence(helps, why, trial.judgement.members, trial.judgement.scores)
    if not helps:
        return Stacked(first, first, evidence)
    progress("stack: fitting every member on all patients")
    return Stacked(learner.complete(trial, *cohorts, fit_network), trial.policy, evidence)


def reason_against_stack(train: Cohort) -> str:
    """Why other members cannot join the network; empty where they can."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return "several processes train it together, and the other members train in one."
    if train.study.dose is None and not bool((train.best_treatment >= 0).any()):
        return (
            "only the outcome of the option received is known, which says too little about "
            "differences between options to weight members by."
        )
    if train.study.reward.discount > 0 and bool(has_next_decision(train).any()):
        return "it learns from later decisions, which the other members do not."
    return ""


def describe_stack(evidence: StackEvidence, unit: str) -> list[str]:
    """Lines of at most 80 columns: whether there is a stack, and a row for each member."""
    lines = [evidence.why]
    for score in evidence.scores:
        of_unit = f" {unit}" if score.loss == DOSE_ERROR and unit else ""
        lines.append(
            f"{_TITLES[score.loss].capitalize()}, {score.decisions:,} validation decisions: stack "
            f"{score.stack:.4g}, network alone {score.network:.4g}{of_unit}"
        )
        lines.append(
            f"Difference {score.difference:+.2g}, standard error {score.standard_error:.2g}: "
            + ("stacked" if score.helps else "the network keeps this answer to itself")
        )
        lines.append(f"  {'member':<12}{'weight':>8}{'alone':>10}{'stack without it':>20}")
        lines += [_row(m) for m in evidence.members if m.loss == score.loss]
    return lines


def _row(score: MemberScore) -> str:
    return f"  {score.member:<12}{score.weight:>8.2f}{score.alone:>10.4g}{score.without:>20.4g}"


def stack_rows(evidence: StackEvidence, study: str) -> list[Row]:
    """Weight and losses of each member, and the losses of the stack and of the network."""
    counts = {score.loss: score.decisions for score in evidence.scores}
    values = [
        (m.member, f"{m.loss}_{name}", value, counts[m.loss])
        for m in evidence.members
        for name, value in (("weight", m.weight), ("alone", m.alone), ("without", m.without))
    ] + [
        (model, score.loss, value, score.decisions)
        for score in evidence.scores
        for model, value in (("stack", score.stack), ("network", score.network))
    ]
    figures = [(*value[:3], None, None, value[3]) for value in values] + [
        ("stack", f"difference_{s.loss}", s.difference, *_interval(s), s.decisions)
        for s in evidence.scores
    ]
    return [
        {"study": study, "model": model, "split": "validation", "metric": metric}
        | {"value": value, "low": low, "high": high, "n": n}
        for model, metric, value, low, high, n in figures
    ]


def _interval(score: StackScore) -> tuple[float, float]:
    """95 % interval of the difference."""
    width = 1.96 * score.standard_error
    return score.difference - width, score.difference + width
