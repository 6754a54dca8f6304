"""Run jobs on the workers of a Spark session: a task for each item, by `mapInArrow`.

A session that exists already, such as that of a notebook, is used as it is.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa

from posology.records.io.engine import spark_session

Item = TypeVar("Item")
Result = TypeVar("Result")

_SCHEMA = "number long, result binary"


def run_on_spark(
    job: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """The job's results in the order of the items. ImportError without pyspark.

    Job, items and results travel by pyspark's own cloudpickle, between processes of one session.
    """
    from pyspark import cloudpickle

    numbers: Any = spark_session(threads=workers).range(0, len(items), 1, max(1, len(items)))
    task = partial(_run_batches, job, items)
    found = {row.number: row.result for row in numbers.mapInArrow(task, _SCHEMA).collect()}
    for number in range(len(items)):
        yield cloudpickle.loads(found[number])


def _run_batches(
    job: Callable[[Item], Any], items: Sequence[Item], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """On a worker: the results of the items whose numbers the batches have."""
    from pyspark import cloudpickle

    for batch in batches:
        for number in batch.column(0).to_pylist():
            result = cloudpickle.dumps(job(items[number]))
            yield pa.RecordBatch.from_pydict({"number": [number], "result": [result]})
