"""Progress bars of the commands, and the console that their results are printed on."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from posology.workflows.progress import Progress as ProgressCallback

CONSOLE = Console(markup=False)
"""Brackets are text, such as those of the unit `[iU]/mL`."""


def progress_bars() -> Progress:
    """Bars with a message (the field `message` of a task) that disappear when they are done."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[message]}", markup=False),
        TimeElapsedColumn(),
        console=CONSOLE,
        transient=True,
    )


LINE_SECONDS = 2.0
"""Least time between two lines of progress where output is no terminal."""


@contextmanager
def show_progress(title: str) -> Generator[ProgressCallback]:
    """One bar, as the progress callback of a workflow; lines on standard error if no terminal."""
    if not CONSOLE.is_terminal:
        yield progress_lines(title)
        return
    with progress_bars() as bars:
        task = bars.add_task(title, total=None, message="")

        def report(message: str, done: int = 0, total: int | None = None) -> None:
            bars.update(task, message=message, completed=done, total=total)

        yield report


def progress_lines(title: str) -> ProgressCallback:
    """A line on standard error for each report, at most one every LINE_SECONDS."""
    started = latest = time.monotonic()

    def report(message: str, done: int = 0, total: int | None = None) -> None:
        nonlocal latest
        now = time.monotonic()
        if now - latest < LINE_SECONDS:
            return
        latest = now
        of_total = f", {done:,} of {total:,}" if total else ""
        typer.echo(f"{title}, {now - started:.0f} s: {message}{of_total}", err=True)

    return report


@contextmanager
def show_stages(is_quiet: bool) -> Generator[ProgressCallback]:
    """One line a stage with the rows it has done, on standard error."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.completed:,.0f} rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=is_quiet) as bars:
        tasks: dict[str, TaskID] = {}

        def report(message: str, done: int = 0, total: int | None = None) -> None:
            if message not in tasks:
                tasks[message] = bars.add_task(message, total=total)
            bars.update(tasks[message], completed=done)

        yield report


def use_one_thread() -> None:
    """Limit torch, OpenMP and BLAS to one thread, unless OMP_NUM_THREADS gives another number.

    Batches here are so small that more threads are slower. On a busy machine they spin while they
    wait for one another: effects of 500 patients then take minutes instead of 5 s.
    """
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"  # read by libraries that are loaded later
        threadpool_limits(1)  # those that are loaded already
