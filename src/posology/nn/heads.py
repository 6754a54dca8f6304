"""What else a study may ask of every decision; a head is built where its count is above 0."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from posology.nn.ensemble import MemberLinear

PAST = ("course",)
"""Tasks with a linear head past the hidden layer. Of diagnosis and time to event it learned rare
events by heart on the clinic (`docs/decisions/tasks.md`)."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """How many things are asked; 0 asks nothing."""

    conditions: int = 0
    """Diagnoses within a horizon, each on its own."""
    measures: int = 0
    """Numbers to come: one a laboratory value and horizon."""
    incidents: int = 0
    """Kinds of event whose time is asked."""
    intervals: int = 0
    """Of the time to event, each with its own hazard."""


class TaskOutput(NamedTuple):
    """Answers from each member; an axis is empty where nothing is asked."""

    diagnosis: Float[Tensor, "decision member condition"]
    """Logits."""
    course: Float[Tensor, "decision member measure"]
    """Standardised numbers."""
    hazard: Float[Tensor, "decision member incident interval"]
    """Logits of the event in an interval, given none before it."""


class TaskHeads(nn.Module):
    """One linear head a task and member, and past them a linear one on the profile vector itself:
    what tomorrow's number has of today's should not have to pass the hidden layer and its dropout.
    """

    def __init__(self, tasks: Tasks, hidden: int, members: int, inputs: int) -> None:
        super().__init__()
        self.tasks = tasks
        sizes = {
            "diagnosis": tasks.conditions,
            "course": tasks.measures,
            "hazard": tasks.incidents * tasks.intervals,
        }
        self.heads = nn.ModuleDict(
            {name: MemberLinear(hidden, size, members) for name, size in sizes.items() if size}
        )

        self.past = nn.ModuleDict(
            {name: nn.Linear(inputs, sizes[name], bias=False) for name in PAST if sizes[name]}
        )
        for weight in self.past.parameters():
            nn.init.zeros_(weight)

    def forward(
        self, hidden: Float[Tensor, "decision member hidden"], z: Float[Tensor, "decision inputs"]
    ) -> TaskOutput:
        """Every task's answers."""

        def said(name: str) -> Tensor:
            if name not in self.heads:
                return hidden[..., :0]
            found = self.heads[name](hidden)
            return found + self.past[name](z)[:, None] if name in self.past else found

        shape = (self.tasks.incidents, self.tasks.intervals)
        hazard = said("hazard").reshape(*hidden.shape[:2], *shape)
        return TaskOutput(said("diagnosis"), said("course"), hazard)
