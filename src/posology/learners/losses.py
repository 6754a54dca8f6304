"""What the network is asked to get right: pure functions that return their parts by name."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

from posology.nn.network import Output


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What is known of each decision of a batch; -1 and NaN mark what is not."""

    best: Int64[Tensor, " decision"]
    treatment: Int64[Tensor, " decision"]
    effective: Float[Tensor, " decision"]
    dose: Float[Tensor, " decision"]
    """Standardised square root of the dose."""
    rewards: Float[Tensor, "decision treatment"]
    """What each option earned or would have; NaN where that is not known."""
    has_next: Bool[Tensor, " decision"]
    """Whether the row after this one is the same patient's next decision."""


def supervised(output: Output, targets: Targets) -> dict[str, Tensor]:
    """The first phase: effectiveness, propensity and dose, each the mean over what is known."""
    return {
        "effectiveness": effectiveness(output.effectiveness, targets),
        "propensity": _choice(output.propensity, targets.treatment),
        "dose": dose(output.dose, targets.dose),
    }


def effectiveness(
    logits: Float[Tensor, "decision member treatment"], targets: Targets
) -> Float[Tensor, ""]:
    """Cross-entropy on the most effective option where it is known; else on the option given."""
    if bool((targets.best >= 0).any()):
        return _choice(logits, targets.best)
    known = (targets.treatment >= 0) & ~targets.effective.isnan()
    given = targets.treatment[known][:, None, None].expand(-1, logits.shape[1], 1)
    asked = logits[known].gather(2, given)[..., 0]
    truth = targets.effective[known][:, None].expand_as(asked)
    return F.binary_cross_entropy_with_logits(asked, truth) if len(asked) else logits.sum() * 0.0


def dose(
    predicted: Float[Tensor, "decision member"], truth: Float[Tensor, " decision"]
) -> Float[Tensor, ""]:
    """Mean absolute error of the standardised square root: the median dose, whatever the link."""
    known = ~truth.isnan()
    error = predicted[known] - truth[known][:, None]
    return error.abs().mean() if len(error) else predicted.sum() * 0.0


def value(
    predicted: Float[Tensor, "decision member treatment"],
    target: Float[Tensor, "decision treatment"],
) -> Float[Tensor, ""]:
    """Mean squared error of the value of every option whose target is known."""
    known = ~target.isnan()
    error = predicted.transpose(1, 2)[known] - target[known][:, None]
    return error.square().mean() if len(error) else predicted.sum() * 0.0


def _choice(
    logits: Float[Tensor, "decision member treatment"], chosen: Int64[Tensor, " decision"]
) -> Float[Tensor, ""]:
    known = chosen >= 0
    asked = logits[known].transpose(1, 2)
    truth = chosen[known][:, None].expand(-1, logits.shape[1])
    return F.cross_entropy(asked, truth) if len(asked) else logits.sum() * 0.0
