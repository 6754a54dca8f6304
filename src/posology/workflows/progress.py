"""How a workflow reports its progress, runs a training loop, and stores learning curves."""

import sys
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:  # it imports torch, which ingest and cohort do without
    from posology.learners.network.checkpoint import Epoch

_WIDTH = 84
"""Of a line of progress: 80 columns after the codes that clear it."""


@runtime_checkable
class Progress(Protocol):
    """Called whenever a step starts or advances; print, draw a bar, or ignore it."""

    def __call__(self, message: str, done: int = 0, total: int | None = None) -> None:
        """`message` names the step; `done` of `total` units are complete, None if unknown."""
        ...


def no_progress(message: str, done: int = 0, total: int | None = None) -> None:
    """Report nothing."""
    del message, done, total


def progress_of_python(message: str, done: int = 0, total: int | None = None) -> None:
    """One line on standard error that each report overwrites; nothing where it is no terminal."""
    if not sys.stderr.isatty():
        return
    of_total = f", {done:,} of {total:,}" if total else ""
    sys.stderr.write(f"\r\x1b[K{message}{of_total}"[:_WIDTH])
    sys.stderr.flush()


LearningCurves = tuple[tuple[str, list[dict[str, float]]], ...]
"""(phase, one dict an epoch): `epoch`, and each loss as `train_x` and `validation_x`."""
Fitted = TypeVar("Fitted")


def run_epochs(
    fitting: "Generator[Epoch, None, Fitted]", title: str, epochs: int, progress: Progress
) -> "tuple[Fitted, list[Epoch]]":
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


def describe_epoch(epoch: "Epoch") -> str:
    """Validation score and speed of an epoch, in one line."""
    score = epoch.validation["score"]
    return f"validation {score:.4f}, {epoch.steps_per_second:,.0f} steps/s"


def to_learning_curves(phases: "Mapping[str, list[Epoch]]") -> LearningCurves:
    """The epochs of each phase as plain numbers."""
    return tuple((phase, [_losses(epoch) for epoch in epochs]) for phase, epochs in phases.items())


def stored_learning_curves(evidence: Mapping[str, Any]) -> LearningCurves:
    """The learning curves in a saved policy's evidence; empty if it has none."""
    return tuple((phase, epochs) for phase, epochs in evidence.get("learning", ()))


def _losses(epoch: "Epoch") -> dict[str, float]:
    return (
        {"epoch": float(epoch.number)}
        | {f"train_{name}": value for name, value in epoch.train.items()}
        | {f"validation_{name}": value for name, value in epoch.validation.items()}
    )
