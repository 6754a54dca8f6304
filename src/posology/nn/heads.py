"""Heads for diagnosis, progression and time to event; each exists where its count is above 0."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from posology.nn.ensemble import MemberLinear


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """Number of targets of each task; 0 leaves the task out."""

    conditions: int = 0
    """Diagnoses within a horizon, each on its own."""
    progressions: int = 0
    """Future values: one per laboratory value and horizon."""
    times_to_event: int = 0
    """Kinds of event whose time is predicted."""
    intervals: int = 0
    """Intervals of the time to event, each with its own hazard."""

    @property
    def targets(self) -> tuple[int, int, int]:
        """Number of targets of diagnosis, progression and time to event."""
        return self.conditions, self.progressions, self.times_to_event


class TaskOutput(NamedTuple):
    """Predictions of each member; an axis is empty where the study has no such target."""

    diagnosis: Float[Tensor, "decision member condition"]
    """Logits."""
    progression: Float[Tensor, "decision member progression"]
    """Standardised values."""
    hazard: Float[Tensor, "decision member time_to_event interval"]
    """Logits of the event in an interval, given none before it."""


class TaskHeads(nn.Module):
    """One linear head per task and member, plus an additive term that bypasses the hidden layer.

    The additive term (`AdditiveHead`) is added to each future value, to each diagnosis' log odds
    and to all hazards of an event, as in Cox's model. Without it, future values get a linear term
    of the profile vector.
    """

    def __init__(self, tasks: TaskCounts, hidden: int, members: int, inputs: int) -> None:
        """inputs: size of the profile vector; 0 where an additive term is passed to `forward`."""
        super().__init__()
        self.tasks = tasks
        sizes = {
            "diagnosis": tasks.conditions,
            "progression": tasks.progressions,
            "hazard": tasks.times_to_event * tasks.intervals,
        }
        self.heads = nn.ModuleDict(
            {name: MemberLinear(hidden, size, members) for name, size in sizes.items() if size}
        )
        self.skip = None
        if tasks.progressions and inputs:
            self.skip = nn.Linear(inputs, tasks.progressions, bias=False)
            nn.init.zeros_(self.skip.weight)

    def forward(
        self,
        outputs: dict[str, Float[Tensor, "decision member _"]],
        z: Float[Tensor, "decision inputs"],
        additive: Float[Tensor, "decision target"] | None = None,
    ) -> TaskOutput:
        """Combine the outputs of the linear heads with the additive term."""
        shape = (self.tasks.times_to_event, self.tasks.intervals)
        diagnosis, progression = outputs["diagnosis"], outputs["progression"]
        hazard = outputs["hazard"]
        hazard = hazard.reshape(*hazard.shape[:2], *shape)
        if additive is not None:
            terms = self.split_by_task(additive[:, None])
            diagnosis = diagnosis + terms["diagnosis"]
            progression = progression + terms["progression"]
            hazard = hazard + terms["hazard"][..., None]
        elif self.skip is not None:
            progression = progression + self.skip(z)[:, None]
        return TaskOutput(diagnosis, progression, hazard)

    def linear_heads(self) -> dict[str, MemberLinear]:
        """Return the existing heads by name of the task."""
        return {name: head for name, head in self.heads.items() if isinstance(head, MemberLinear)}

    def split_by_task(self, columns: Float[Tensor, "*row target"]) -> dict[str, Tensor]:
        """Split one column per target into the columns of each task."""
        parts = torch.split(columns, list(self.tasks.targets), dim=-1)
        return dict(zip(("diagnosis", "progression", "hazard"), parts, strict=True))
