"""Progress on the screen for anything that takes more than two seconds."""

from collections.abc import Generator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from posology.learners.network.checkpoint import Epoch

CONSOLE = Console()


def bars() -> Progress:
    """Bars that go away when they are done."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        console=CONSOLE,
        transient=True,
    )


def one_thread() -> None:
    """Batches here are small: torch's threads would wait for each other longer than they work."""
    import torch

    torch.set_num_threads(1)


Made = TypeVar("Made")


def watch(
    fitting: Generator[Epoch, None, Made], title: str, epochs: int
) -> tuple[Made, list[Epoch]]:
    """Run a fitting to its end under a bar: what it made and its learning curve."""
    curve: list[Epoch] = []
    said = ""
    with bars() as progress:
        task = progress.add_task(title, total=epochs, said="")
        while True:
            try:
                epoch = next(fitting)
            except StopIteration as end:
                made = end.value
                break
            curve.append(epoch)
            said = (
                f"validation {epoch.validation['score']:.4f}, {epoch.steps_per_second:,.0f} steps/s"
            )
            progress.update(task, advance=1, said=said)
    CONSOLE.print(f"{title}: {len(curve)} epochs" + (f", {said}" if said else ""))
    return made, curve
