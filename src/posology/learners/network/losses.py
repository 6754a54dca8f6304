"""Losses of the network: pure functions; `supervised` returns its parts by name."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

from posology.nn.heads import TaskOutput
from posology.nn.network import NetworkOutput


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Labels of each decision of a batch; -1 and NaN mark unknown ones."""

    best: Int64[Tensor, " decision"]
    """The most effective treatment."""
    treatment: Int64[Tensor, " decision"]
    """The treatment received."""
    effective: Float[Tensor, " decision"]
    """Whether the treatment received was effective."""
    dose: Float[Tensor, " decision"]
    """Standardised square root of the dose."""
    log_dose: Float[Tensor, "decision treatment"]
    """log2 of the dose received, relative to the middle of the treatment's levels; 0 for the
    treatments not received."""
    target_distance: Float[Tensor, " decision"]
    """Standardised distance of the outcome's number from its goal."""
    rewards: Float[Tensor, "decision treatment"]
    """Reward of each treatment; NaN where unknown."""
    has_next: Bool[Tensor, " decision"]
    """Whether the next row is the same patient's next decision."""
    diagnosis: Float[Tensor, "decision condition"]
    """1 if diagnosed within the horizon, 0 if not, NaN if not assessed."""
    progression: Float[Tensor, "decision progression"]
    """Standardised future values; NaN where not measured."""
    diagnosis_weight: Float[Tensor, "decision condition"]
    """Inverse probability of knowing each diagnosis; 0 where it is unknown."""
    weight: Float[Tensor, " decision"]
    """Inverse probability of knowing the outcome; 0 where it is unknown."""
    reward_weight: Float[Tensor, " decision"]
    """The same of the reward, whose costs may be followed longer."""
    allowed: Bool[Tensor, "decision treatment"]
    """False where safety rules forbid a treatment; every row allows at least one."""
    is_truncated: Bool[Tensor, " decision"]
    """Whether the trajectory went on unobserved after the decision."""
    intervals_survived: Float[Tensor, "decision time_to_event"]
    """Intervals without the event: whole ones before an event, with the part of the last one in
    which the patient was still followed where it was censored; -1 without follow-up."""
    event_observed: Bool[Tensor, "decision time_to_event"]
    """Whether the event occurred in the interval after them."""


def supervised(output: NetworkOutput, targets: Targets) -> dict[str, Tensor]:
    """Return the losses of the supervised phase: each a mean over the known labels.

    Regression targets are standardised and classification losses are in nats, so that no unit
    dominates. Absent heads add no part. `posology fit --json` writes these names.
    """
    parts = {
        "effectiveness": effectiveness(output.effectiveness, targets),
        "propensity": _cross_entropy(output.propensity, targets.treatment),
        "dose": dose(output.dose, targets.dose),
    }
    if output.target_distance.shape[2]:
        parts["margin"] = target_distance(output.target_distance, targets)
    tasks = output.tasks
    if tasks.diagnosis.shape[2]:
        parts["diagnosis"] = diagnosis(tasks.diagnosis, targets.diagnosis, targets.diagnosis_weight)
    if tasks.progression.shape[2]:
        parts["course"] = progression(tasks.progression, targets.progression)
    if tasks.hazard.shape[2]:
        survived, observed = targets.intervals_survived, targets.event_observed
        parts["hazard"] = hazard(tasks.hazard, survived, observed)
    return parts


def effectiveness(
    logits: Float[Tensor, "decision member treatment"], targets: Targets
) -> Float[Tensor, ""]:
    """Cross-entropy on the most effective treatment, if any is known; else on the one received.

    Outcomes of the treatment received are weighted by their follow-up.
    """
    if bool((targets.best >= 0).any()):
        return _cross_entropy(logits, targets.best)
    known = (targets.treatment >= 0) & ~targets.effective.isnan()
    if not bool(known.any()):
        return logits.sum() * 0.0
    received = targets.treatment.clamp_min(0)[:, None, None].expand(-1, logits.shape[1], 1)
    logit = logits.gather(2, received)[..., 0]
    truth = torch.nan_to_num(targets.effective)[:, None].expand_as(logit)
    loss = F.binary_cross_entropy_with_logits(logit, truth, reduction="none").mean(1)
    return _weighted_mean(loss, torch.where(known, targets.weight, 0.0))


def target_distance(
    predicted: Float[Tensor, "decision member treatment"], targets: Targets
) -> Float[Tensor, ""]:
    """Mean squared error of the target distance of the treatment received."""
    known = (targets.treatment >= 0) & ~targets.target_distance.isnan()
    received = targets.treatment[known][:, None, None].expand(-1, predicted.shape[1], 1)
    error = predicted[known].gather(2, received)[..., 0] - targets.target_distance[known][:, None]
    return _weighted_mean(error.square().mean(1), targets.weight[known])


def dose(
    predicted: Float[Tensor, "decision member"], truth: Float[Tensor, " decision"]
) -> Float[Tensor, ""]:
    """Mean absolute error of the standardised square root: the median dose, whatever the link."""
    known = ~truth.isnan()[:, None]
    error = predicted - torch.nan_to_num(truth)[:, None]
    return _masked_mean(error.abs(), known) if bool(known.any()) else predicted.sum() * 0.0


def value(
    predicted: Float[Tensor, "decision member treatment"],
    target: Float[Tensor, "decision treatment"],
    weight: Float[Tensor, " decision"],
) -> Float[Tensor, ""]:
    """Mean squared error of the value of every treatment whose target is known."""
    known = ~target.isnan()
    error = predicted.transpose(1, 2)[known] - target[known][:, None]
    return _weighted_mean(error.square().mean(1), weight[:, None].expand_as(target)[known])


def diagnosis(
    logits: Float[Tensor, "decision member condition"],
    truth: Float[Tensor, "decision condition"],
    weight: Float[Tensor, "decision condition"],
) -> Float[Tensor, ""]:
    """Binary cross-entropy of every condition that is known, for those like it that are not."""
    known = ~truth.isnan()
    label = torch.nan_to_num(truth)[:, None].expand_as(logits)
    loss = F.binary_cross_entropy_with_logits(logits, label, reduction="none").mean(1)
    return _weighted_mean(loss[known], weight[known]) if bool(known.any()) else logits.sum() * 0.0


def progression(
    predicted: Float[Tensor, "decision member progression"],
    truth: Float[Tensor, "decision progression"],
) -> Float[Tensor, ""]:
    """Mean squared error of every value that was measured: the mean progression is learned."""
    known = ~truth.isnan()[:, None]
    error = predicted - torch.nan_to_num(truth)[:, None]
    return _masked_mean(error.square(), known) if bool(known.any()) else predicted.sum() * 0.0


def hazard(
    logits: Float[Tensor, "decision member time_to_event interval"],
    survived: Float[Tensor, "decision time_to_event"],
    observed: Bool[Tensor, "decision time_to_event"],
) -> Float[Tensor, ""]:
    """Negative log likelihood of discrete hazards under censoring, the mean over those followed.

    Sum over intervals survived of -log(1 - h), and -log h of the next one if the event occurred
    in it (Kvamme and Borgan 2021, doi:10.1007/s10985-021-09532-6, equation 10). Of the interval in
    which follow-up ended, the part that was followed counts, as with a hazard that is constant
    within it (section 3.2): otherwise events of those who left later in it were seen, and their
    time without an event was not.
    survived: intervals without the event, -1 without follow-up. observed: whether the event
    occurred in the next interval, which must exist; then `survived` is whole.
    """
    loss = hazard_nll(logits, survived, observed)
    known = (survived >= 0)[:, None, :].expand_as(loss)
    return loss[known].mean() if bool(known.any()) else logits.sum() * 0.0


def hazard_nll(
    logits: Float[Tensor, "decision member time_to_event interval"],
    survived: Float[Tensor, "decision time_to_event"],
    observed: Bool[Tensor, "decision time_to_event"],
) -> Float[Tensor, "decision member time_to_event"]:
    """Negative log likelihood of each decision; 0 without follow-up."""
    intervals = torch.arange(logits.shape[3], device=logits.device)
    exposure = (survived[:, None, :, None] - intervals).clamp(0, 1)
    event = observed[:, None, :, None] & (survived[:, None, :, None] == intervals)
    return (F.softplus(logits) * (exposure + event) - logits * event).sum(3)


def loss_by_target(
    tasks: TaskOutput, targets: Targets
) -> tuple[Float[Tensor, " target"], Float[Tensor, " target"]]:
    """Return each target's loss of a single member, summed over its labels, and their weight.

    The loss is the negative log likelihood, or half the squared error of a value.
    """
    label = targets.diagnosis.to(tasks.diagnosis.dtype)[:, None]
    cross_entropy = F.binary_cross_entropy_with_logits(
        tasks.diagnosis, torch.nan_to_num(label), reduction="none"
    )
    error = tasks.progression - targets.progression[:, None]
    half_square = 0.5 * torch.nan_to_num(error).square()
    nll = hazard_nll(tasks.hazard, targets.intervals_survived, targets.event_observed)
    loss = torch.cat([cross_entropy, half_square, nll], 2)[:, 0]
    diagnosis = torch.where(targets.diagnosis.isnan(), 0.0, targets.diagnosis_weight)
    weight = (diagnosis, ~targets.progression.isnan(), targets.intervals_survived >= 0)
    known = torch.cat([part.to(loss.dtype) for part in weight], 1)
    return (loss * known).sum(0), known.sum(0)


def survival(
    logits: Float[Tensor, "decision member time_to_event interval"],
) -> Float[Tensor, "decision member time_to_event interval"]:
    """Return P(no event through the end of each interval) of the hazards' logits."""
    return torch.exp(-torch.cumsum(F.softplus(logits), 3))


def _cross_entropy(
    logits: Float[Tensor, "decision member treatment"], chosen: Int64[Tensor, " decision"]
) -> Float[Tensor, ""]:
    if not bool((chosen >= 0).any()):
        return logits.sum() * 0.0
    truth = chosen[:, None].expand(-1, logits.shape[1])
    return F.cross_entropy(logits.transpose(1, 2), truth, ignore_index=-1)


def _masked_mean(
    loss: Float[Tensor, "decision member *target"], known: Bool[Tensor, "decision 1 *target"]
) -> Float[Tensor, ""]:
    """Mean over members and known labels; a mask costs less than indexing."""
    return (loss * known).sum() / (known.sum() * loss.shape[1])


def _weighted_mean(
    loss: Float[Tensor, " known"], weight: Float[Tensor, " known"]
) -> Float[Tensor, ""]:
    """Weighted mean; 0 where all weights are 0."""
    return (loss * weight).sum() / weight.sum().clamp_min(1e-6)
