"""What the network is asked to get right: pure functions that return their parts by name."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

from posology.nn.heads import TaskOutput
from posology.nn.network import NetworkOutput


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What is known of each decision of a batch; -1 and NaN mark what is not."""

    best: Int64[Tensor, " decision"]
    treatment: Int64[Tensor, " decision"]
    effective: Float[Tensor, " decision"]
    dose: Float[Tensor, " decision"]
    """Standardised square root of the dose."""
    log_dose: Float[Tensor, "decision treatment"]
    """log2 of the dose given over the middle of the option's levels; 0 where none was given."""
    target_distance: Float[Tensor, " decision"]
    """Standardised."""
    rewards: Float[Tensor, "decision treatment"]
    """What each option earned or would have; NaN where that is not known."""
    has_next: Bool[Tensor, " decision"]
    """Whether the row after this one is the same patient's next decision."""
    diagnosis: Float[Tensor, "decision condition"]
    """1 where it came within its horizon, 0 where not, NaN where nobody looked."""
    progression: Float[Tensor, "decision measure"]
    """Standardised numbers to come; NaN where there is none."""
    weight: Float[Tensor, " decision"]
    """Of the outcome: inverse probability of being followed to its end, 0 where it was not."""
    allowed: Bool[Tensor, "decision treatment"]
    """False where safety forbids an option; every row allows at least one."""
    is_truncated: Bool[Tensor, " decision"]
    """Whether the course went on after the decision where nobody saw it."""
    intervals_survived: Int64[Tensor, "decision incident"]
    """Whole intervals without the event; -1 where nobody followed."""
    event_observed: Bool[Tensor, "decision incident"]
    """Whether the event came in the interval after them."""


def supervised(output: NetworkOutput, targets: Targets) -> dict[str, Tensor]:
    """The first phase's parts: each the mean over all that is known of it, each counted once.

    Targets are standardised and classes told in nats, so no task outweighs another by its unit; a
    head that nobody asked for adds nothing.
    """
    parts = {
        "effectiveness": effectiveness(output.effectiveness, targets),
        "propensity": _choice(output.propensity, targets.treatment),
        "dose": dose(output.dose, targets.dose),
    }
    if output.target_distance.shape[2]:
        parts["margin"] = target_distance(output.target_distance, targets)
    if output.tasks.diagnosis.shape[2]:
        parts["diagnosis"] = diagnosis(output.tasks.diagnosis, targets.diagnosis)
    if output.tasks.progression.shape[2]:
        parts["course"] = progression(output.tasks.progression, targets.progression)
    if output.tasks.hazard.shape[2]:
        parts["hazard"] = hazard(
            output.tasks.hazard, targets.intervals_survived, targets.event_observed
        )
    return parts


def effectiveness(
    logits: Float[Tensor, "decision member treatment"], targets: Targets
) -> Float[Tensor, ""]:
    """Cross-entropy on the most effective option where it is known; else on the option given.

    What became of the option given counts by the weight of its follow-up.
    """
    if bool((targets.best >= 0).any()):
        return _choice(logits, targets.best)
    known = (targets.treatment >= 0) & ~targets.effective.isnan()
    if not bool(known.any()):
        return logits.sum() * 0.0
    given = targets.treatment.clamp_min(0)[:, None, None].expand(-1, logits.shape[1], 1)
    asked = logits.gather(2, given)[..., 0]
    truth = torch.nan_to_num(targets.effective)[:, None].expand_as(asked)
    loss = F.binary_cross_entropy_with_logits(asked, truth, reduction="none").mean(1)
    return _mean(loss, torch.where(known, targets.weight, 0.0))


def target_distance(
    predicted: Float[Tensor, "decision member treatment"], targets: Targets
) -> Float[Tensor, ""]:
    """Mean squared error of the margin of the option given, where it has one."""
    known = (targets.treatment >= 0) & ~targets.target_distance.isnan()
    given = targets.treatment[known][:, None, None].expand(-1, predicted.shape[1], 1)
    error = predicted[known].gather(2, given)[..., 0] - targets.target_distance[known][:, None]
    return _mean(error.square().mean(1), targets.weight[known])


def dose(
    predicted: Float[Tensor, "decision member"], truth: Float[Tensor, " decision"]
) -> Float[Tensor, ""]:
    """Mean absolute error of the standardised square root: the median dose, whatever the link."""
    known = ~truth.isnan()[:, None]
    error = predicted - torch.nan_to_num(truth)[:, None]
    return _mean_of(error.abs(), known) if bool(known.any()) else predicted.sum() * 0.0


def value(
    predicted: Float[Tensor, "decision member treatment"],
    target: Float[Tensor, "decision treatment"],
    weight: Float[Tensor, " decision"],
) -> Float[Tensor, ""]:
    """Mean squared error of the value of every option whose target is known."""
    known = ~target.isnan()
    error = predicted.transpose(1, 2)[known] - target[known][:, None]
    return _mean(error.square().mean(1), weight[:, None].expand_as(target)[known])


def diagnosis(
    logits: Float[Tensor, "decision member condition"], truth: Float[Tensor, "decision condition"]
) -> Float[Tensor, ""]:
    """Binary cross-entropy of every condition that somebody looked for."""
    known = ~truth.isnan()[:, None]
    true = torch.nan_to_num(truth)[:, None].expand_as(logits)
    missed = F.binary_cross_entropy_with_logits(logits, true, reduction="none")
    return _mean_of(missed, known) if bool(known.any()) else logits.sum() * 0.0


def progression(
    predicted: Float[Tensor, "decision member measure"], truth: Float[Tensor, "decision measure"]
) -> Float[Tensor, ""]:
    """Mean squared error of every number that was measured: what is learned is the mean course."""
    known = ~truth.isnan()[:, None]
    error = predicted - torch.nan_to_num(truth)[:, None]
    return _mean_of(error.square(), known) if bool(known.any()) else predicted.sum() * 0.0


def hazard(
    logits: Float[Tensor, "decision member time_to_event interval"],
    survived: Int64[Tensor, "decision time_to_event"],
    happened: Bool[Tensor, "decision time_to_event"],
) -> Float[Tensor, ""]:
    """Minus log likelihood of discrete hazards under censoring, a mean over those followed.

    Sum over intervals survived of -log(1 - h), and -log h of the next one where the event
    happened in it (Kvamme and Borgan 2021, doi:10.1007/s10985-021-09532-6, equation 10).
    survived: whole intervals without the event, -1 where nobody followed; who is censored in an
    interval has not survived it whole. happened needs an interval left for the event.
    """
    loss = hazard_nll(logits, survived, happened)
    known = (survived >= 0)[:, None, :].expand_as(loss)
    return loss[known].mean() if bool(known.any()) else logits.sum() * 0.0


def hazard_nll(
    logits: Float[Tensor, "decision member incident interval"],
    survived: Int64[Tensor, "decision incident"],
    happened: Bool[Tensor, "decision incident"],
) -> Float[Tensor, "decision member incident"]:
    """The same of each decision; of one that nobody followed it says nothing."""
    intervals = torch.arange(logits.shape[3], device=logits.device)
    through = survived[:, None, :, None] > intervals
    event = happened[:, None, :, None] & (survived[:, None, :, None] == intervals)
    return (F.softplus(logits) * (through | event) - logits * event).sum(3)


def loss_by_target(
    tasks: TaskOutput, targets: Targets
) -> tuple[Float[Tensor, " target"], Float[Tensor, " target"]]:
    """Of one member's answers and each of the study's targets: minus log likelihood, or half the
    squared error of a number, summed over decisions that tell; and how many do."""
    truth = targets.diagnosis.to(tasks.diagnosis.dtype)[:, None]
    missed = F.binary_cross_entropy_with_logits(
        tasks.diagnosis, torch.nan_to_num(truth), reduction="none"
    )
    off = tasks.progression - targets.progression[:, None]
    late = hazard_nll(tasks.hazard, targets.intervals_survived, targets.event_observed)
    loss = torch.cat([missed, 0.5 * torch.nan_to_num(off).square(), late], 2)[:, 0]
    told = [
        ~targets.diagnosis.isnan(),
        ~targets.progression.isnan(),
        targets.intervals_survived >= 0,
    ]
    known = torch.cat(told, 1)
    return (loss * known).sum(0), known.sum(0).to(loss.dtype)


def survival(
    logits: Float[Tensor, "decision member time_to_event interval"],
) -> Float[Tensor, "decision member time_to_event interval"]:
    """P(no event through the end of each interval) of hazards' logits."""
    return torch.exp(-torch.cumsum(F.softplus(logits), 3))


def _choice(
    logits: Float[Tensor, "decision member treatment"], chosen: Int64[Tensor, " decision"]
) -> Float[Tensor, ""]:
    if not bool((chosen >= 0).any()):
        return logits.sum() * 0.0
    truth = chosen[:, None].expand(-1, logits.shape[1])
    return F.cross_entropy(logits.transpose(1, 2), truth, ignore_index=-1)


def _mean_of(
    loss: Float[Tensor, "decision member *target"], known: Bool[Tensor, "decision 1 *target"]
) -> Float[Tensor, ""]:
    """Over all members of what is known; masked, which costs less than to pick it out."""
    return (loss * known).sum() / (known.sum() * loss.shape[1])


def _mean(loss: Float[Tensor, " known"], weight: Float[Tensor, " known"]) -> Float[Tensor, ""]:
    """By weight; 0 where nothing is known."""
    return (loss * weight).sum() / weight.sum().clamp_min(1e-6)
