"""Run one job per item in parallel processes (joblib)."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from joblib import Parallel, delayed

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Called after each item with the number done and the total."""


def run_parallel(
    job: Callable[[Item], Result] | partial[Result],
    items: Sequence[Item],
    workers: int,
    progress: Progress | None = None,
) -> Iterator[Result]:
    """Yield the job's result for each item, in order.

    The first error stops all jobs and is raised unchanged. With several workers each job runs in a
    process of its own, so that job, items and results must be picklable.
    """
    processes = min(workers, len(items))
    jobs = (delayed(job)(item) for item in items)
    for done, result in enumerate(Parallel(n_jobs=processes, return_as="generator")(jobs), start=1):
        if progress is not None:
            progress(done, len(items))
        yield result
