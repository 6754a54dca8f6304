"""How a workflow reports its progress, and how it runs a training loop."""

from collections.abc import Generator
from typing import Protocol, TypeVar, runtime_checkable

from posology.learners.network.checkpoint import Epoch


@runtime_checkable
class Progress(Protocol):
    """Called whenever a step starts or advances; print, draw a bar, or ignore it."""

    def __call__(self, message: str, done: int = 0, total: int | None = None) -> None:
        """`message` names the step; `done` of `total` units are complete, None if unknown."""
        ...


def no_progress(message: str, done: int = 0, total: int | None = None) -> None:
    """Report nothing."""
    del message, done, total


Fitted = TypeVar("Fitted")


def run_epochs(
    fitting: Generator[Epoch, None, Fitted], title: str, epochs: int, progress: Progress
) -> tuple[Fitted, list[Epoch]]:
    """Run a training loop to its end: what it fitted, and its learning curve."""
    curve: list[Epoch] = []
    progress(title, 0, epochs)
    while True:
        try:
            epoch = next(fitting)
        except StopIteration as end:
            return end.value, curve
        curve.append(epoch)
        progress(f"{title}: {describe_epoch(epoch)}", len(curve), epochs)


def describe_epoch(epoch: Epoch) -> str:
    """Validation score and speed of an epoch, in one line."""
    score = epoch.validation["score"]
    return f"validation {score:.4f}, {epoch.steps_per_second:,.0f} steps/s"
