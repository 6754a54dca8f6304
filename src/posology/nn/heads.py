"""What else a study may ask of every decision; a head is built where its count is above 0."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from posology.nn.ensemble import MemberLinear


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """How many things are asked; 0 asks nothing."""

    conditions: int = 0
    """Diagnoses within a horizon, each on its own."""
    progressions: int = 0
    """Numbers to come: one a laboratory value and horizon."""
    times_to_event: int = 0
    """Kinds of event whose time is asked."""
    intervals: int = 0
    """Of the time to event, each with its own hazard."""

    @property
    def targets(self) -> tuple[int, int, int]:
        """Columns of what is known that diagnosis, progression and time to event take."""
        return self.conditions, self.progressions, self.times_to_event


class TaskOutput(NamedTuple):
    """Answers from each member; an axis is empty where nothing is asked."""

    diagnosis: Float[Tensor, "decision member condition"]
    """Logits."""
    progression: Float[Tensor, "decision member measure"]
    """Standardised numbers."""
    hazard: Float[Tensor, "decision member incident interval"]
    """Logits of the event in an interval, given none before it."""


class TaskHeads(nn.Module):
    """One linear head a task and member, and past the hidden layer and its dropout a sum of what is
    known: to each number to come, to each diagnosis' log odds and to all hazards of an event alike,
    as in Cox's model. Where there is no such sum, numbers get one of the profile vector.
    """

    def __init__(self, tasks: TaskCounts, hidden: int, members: int, inputs: int) -> None:
        """inputs: of the profile vector; 0 where sums of what is known are given instead."""
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
        said: dict[str, Float[Tensor, "decision member _"]],
        z: Float[Tensor, "decision inputs"],
        known: Float[Tensor, "decision asked"] | None = None,
    ) -> TaskOutput:
        """Every task's answers, of what its head says."""
        shape = (self.tasks.times_to_event, self.tasks.intervals)
        diagnosis, course, hazard = (said[name] for name in ("diagnosis", "progression", "hazard"))
        hazard = hazard.reshape(*hazard.shape[:2], *shape)
        if known is not None:
            shares = self.split_by_task(known[:, None])
            diagnosis, course = diagnosis + shares["diagnosis"], course + shares["progression"]
            hazard = hazard + shares["hazard"][..., None]
        elif self.skip is not None:
            course = course + self.skip(z)[:, None]
        return TaskOutput(diagnosis, course, hazard)

    def linear_heads(self) -> dict[str, MemberLinear]:
        """The heads that there are."""
        return {name: head for name, head in self.heads.items() if isinstance(head, MemberLinear)}

    def split_by_task(self, columns: Float[Tensor, "*row asked"]) -> dict[str, Tensor]:
        """Columns of `Foretold` task by task."""
        parts = torch.split(columns, list(self.tasks.targets), dim=-1)
        return dict(zip(("diagnosis", "progression", "hazard"), parts, strict=True))
