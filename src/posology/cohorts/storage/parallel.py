"""Run one job per item in parallel: on this machine, or on the workers of an engine (joblib)."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar

from joblib import Parallel, delayed, parallel_config

from posology.cohorts.storage.spark_jobs import run_on_spark
from posology.errors import PosologyError, UserError
from posology.records.io.memory import format_size, peak_memory

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Called after each item with the number done and the total."""

LOCAL = "loky"
"""Processes of this machine."""
PACKAGES = {"dask": "distributed", "ray": "ray", "spark": "pyspark"}
"""Engines, and the package that each needs."""
ENGINES = (LOCAL, *PACKAGES)
PROCESS_BYTES = 250_000_000
"""Memory of a process before it holds events (measured: 0.23 GB)."""
EVENT_BYTES = 300
"""Memory of an event with its copies (measured: 185 to 225)."""
FEWEST_ROWS = 50_000
"""Events that a worker must be able to hold: a patient of an intensive care unit has as many."""
SCHEDULER = "DASK_SCHEDULER_ADDRESS"
"""Environment variable with the address of a Dask cluster; without it, one of this machine."""


def run_parallel(
    job: Callable[[Item], Result] | partial[Result],
    items: Sequence[Item],
    workers: int,
    progress: Progress | None = None,
    engine: str = LOCAL,
    report_peak: Callable[[int], None] | None = None,
) -> Iterator[Result]:
    """Yield the job's result for each item, in order.

    report_peak: called after each item with the peak memory of the process that ran it, in bytes.

    The first error stops all jobs and is raised unchanged. With several workers each job runs in a
    process of its own, so that job, items and results must be picklable. An engine's workers must
    see the same files.
    """
    processes = min(workers, len(items)) if engine == LOCAL else workers
    measured = partial(_run_and_measure, job)
    with _backend(engine, processes):
        results = _results(measured, items, processes, engine)
        for done, (result, peak, error) in enumerate(results, start=1):
            if error is not None:
                raise error
            if report_peak is not None:
                report_peak(peak)
            if progress is not None:
                progress(done, len(items))
            yield result


def _results(
    job: Callable[[Item], Result], items: Sequence[Item], workers: int, engine: str
) -> Iterable[Result]:
    if engine == "spark":
        return run_on_spark(job, items, workers)
    kind = "generator" if engine == LOCAL else "list"
    return Parallel(n_jobs=workers, return_as=kind)(delayed(job)(item) for item in items)


def _run_and_measure(
    job: Callable[[Item], Result] | partial[Result], item: Item
) -> tuple[Any, int, PosologyError | None]:
    """The job's result, the process's peak memory, and an error, which not all engines pass on."""
    try:
        return job(item), peak_memory(), None
    except PosologyError as error:
        return None, peak_memory(), error


def rows_within(memory: int, workers: int) -> int:
    """Events that each worker may hold, so that all processes together stay within the bytes.

    UserError if that is too few events to work with.
    """
    processes = workers + (workers > 1)  # the main one
    rows = int((memory / processes - PROCESS_BYTES) / EVENT_BYTES)
    if rows < FEWEST_ROWS:
        least = processes * (PROCESS_BYTES + FEWEST_ROWS * EVENT_BYTES)
        raise UserError(
            f"--memory {format_size(memory)}: {workers} workers need at least "
            f"{format_size(least)}; give more, or fewer --workers."
        )
    return rows


@contextmanager
def _backend(engine: str, workers: int) -> Generator[None]:
    """Use the engine's workers within the block; UserError if it or its package is not there."""
    if engine == LOCAL:
        yield
        return
    if engine not in PACKAGES:
        raise UserError(f"--engine {engine}: is not one of {', '.join(ENGINES)}")
    try:
        cluster = _cluster(engine, workers)
    except ImportError as error:
        name = PACKAGES[engine]
        raise UserError(f"--engine {engine}: needs a package: pip install {name}") from error
    with cluster, nullcontext() if engine == "spark" else parallel_config(engine):
        yield


def _cluster(engine: str, workers: int) -> AbstractContextManager[object]:
    """Connect to the engine, or start it on this machine, and make it known to joblib."""
    if engine == "dask":
        from distributed import Client

        address = os.environ.get(SCHEDULER)
        if address:
            return Client(address)
        return Client(n_workers=workers, threads_per_worker=1, dashboard_address=None)
    if engine == "ray":
        from ray.util.joblib import register_ray

        register_ray()
        return nullcontext()
    import pyspark  # noqa: F401

    return nullcontext()
