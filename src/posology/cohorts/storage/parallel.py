"""Run one job per item in parallel: on this machine, or on the workers of an engine (joblib)."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TypeVar

from joblib import Parallel, delayed, parallel_config

from posology.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Called after each item with the number done and the total."""

LOCAL = "loky"
"""Processes of this machine."""
PACKAGES = {"dask": "distributed", "ray": "ray", "spark": "joblibspark"}
"""Engines, and the package that each needs."""
ENGINES = (LOCAL, *PACKAGES)
SCHEDULER = "DASK_SCHEDULER_ADDRESS"
"""Environment variable with the address of a Dask cluster; without it, one of this machine."""


def run_parallel(
    job: Callable[[Item], Result] | partial[Result],
    items: Sequence[Item],
    workers: int,
    progress: Progress | None = None,
    engine: str = LOCAL,
) -> Iterator[Result]:
    """Yield the job's result for each item, in order.

    The first error stops all jobs and is raised unchanged. With several workers each job runs in a
    process of its own, so that job, items and results must be picklable. An engine's workers must
    see the same files.
    """
    processes = min(workers, len(items)) if engine == LOCAL else workers
    jobs = (delayed(job)(item) for item in items)
    with _backend(engine, processes):
        kind = "generator" if engine == LOCAL else "list"
        results = Parallel(n_jobs=processes, return_as=kind)(jobs)
        for done, result in enumerate(results, start=1):
            if progress is not None:
                progress(done, len(items))
            yield result


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
    with cluster, parallel_config(engine):
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
    else:
        from joblibspark import register_spark

        register_spark()
    return nullcontext()
