"""A recurrent network over the visits so far, and two ways to go on from its state under a plan.

`structured`: the state gives effects of the features of a step, which stay the same over the plan.
`decoder`: a second recurrent cell reads each planned treatment and the outcome it predicted last.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from posology.learners.trajectories.step_features import StepSpec

CLAMP = 5.0


class OutcomeNetwork(nn.Module):
    """Outcomes after each step of a plan, from the visits and treatments before it."""

    def __init__(self, spec: StepSpec, statics: int, state: int, is_structured: bool) -> None:
        super().__init__()
        self.spec, self.is_structured = spec, is_structured
        components = len(spec.carry_over)
        self.encoder = nn.GRU(2 + 2 * components + statics, state, batch_first=True)
        if is_structured:
            self.effects = nn.Linear(state, spec.feature_count)
            nn.init.zeros_(self.effects.weight)
            nn.init.zeros_(self.effects.bias)
        else:
            self.decoder = nn.GRUCell(1 + components, state)
            self.change = nn.Sequential(nn.Linear(state, state), nn.ELU(), nn.Linear(state, 1))
        self.adversary = nn.Linear(state, components)

    def encode(
        self,
        outcome: Float[Tensor, "subject visit"],
        dose: Float[Tensor, "subject visit component"],
        levels: Float[Tensor, "subject visit component"],
        statics: Float[Tensor, "subject static"],
    ) -> Float[Tensor, "subject visit state"]:
        """State after each visit; dose and levels are those of the step before it."""
        size = outcome_size(self.spec, outcome)
        moved = torch.zeros_like(size)
        moved[:, 1:] = (10 * change_size(self.spec, outcome[:, :-1], outcome[:, 1:])).clamp(-5, 5)
        fixed = statics[:, None].expand(-1, outcome.shape[1], -1)
        parts = [size[..., None], moved[..., None], dose, levels, fixed]
        return self.encoder(torch.cat(parts, 2))[0]

    def go_forward(
        self,
        state: Float[Tensor, "plan state"],
        outcome: Float[Tensor, " plan"],
        levels: Float[Tensor, "plan component"],
        plan: Float[Tensor, "plan horizon component"],
    ) -> Float[Tensor, "plan horizon"]:
        """Outcome after each step of the plan."""
        lasting = torch.tensor(self.spec.carry_over, dtype=plan.dtype)
        effects = self.effects(state) if self.is_structured else None
        path = []
        for ahead in range(plan.shape[1]):
            levels = levels * lasting + plan[:, ahead]
            size = outcome_size(self.spec, outcome)
            if effects is not None:
                parts = [
                    torch.ones_like(size)[:, None],
                    size[:, None],
                    *_treated(self.spec, levels),
                ]
                change = (torch.cat(parts, 1) * effects).sum(1)
            else:
                state = self.decoder(torch.cat([size[:, None], plan[:, ahead]], 1), state)
                change = self.change(state)[:, 0]
            outcome = apply_size(self.spec, outcome, change)
            path.append(outcome)
        return torch.stack(path, 1)


def _treated(spec: StepSpec, levels: Tensor) -> list[Tensor]:
    parts = [levels]
    if spec.has_interactions:
        count = levels.shape[1]
        parts += [levels[:, a, None] * levels[:, b, None] for a in range(count) for b in range(a)]
    return parts


def outcome_size(spec: StepSpec, outcome: Tensor) -> Tensor:
    """As `step_features.outcome_feature`."""
    size = outcome if spec.scale == "difference" else outcome.clamp(min=spec.floor).log()
    return (size - spec.center) / spec.spread


def change_size(spec: StepSpec, before: Tensor, after: Tensor) -> Tensor:
    """As `step_features.change`, in standard deviations of the outcome for `difference`."""
    if spec.scale == "difference":
        return (after - before) / spec.spread
    safe = before.clamp(min=spec.floor)
    if spec.scale == "relative":
        return after / safe - 1
    return (after.clamp(min=spec.floor) / safe).log()


def apply_size(spec: StepSpec, before: Tensor, size: Tensor) -> Tensor:
    """The next outcome after a change of `change_size`."""
    if spec.scale == "difference":
        return before + spec.spread * size
    if spec.scale == "relative":
        return before * (1 + size).clamp(min=0)
    return before * size.clamp(max=CLAMP).exp()


def reverse_gradient(x: Tensor) -> Tensor:
    """The same values, with a gradient that is turned round (Ganin et al. 2016, JMLR 17:59)."""
    return 2 * x.detach() - x
