"""A small table of events, the same as pyarrow's own and without pandas."""

import datetime
import subprocess
import sys

import pyarrow as pa

from posology.records.io.few_events import few_events
from posology.records.schema import EVENTS

TIMES = [None, datetime.datetime(1923, 5, 1), datetime.datetime(2026, 11, 28, 9, 30, 1, 7)]  # noqa: DTZ001
CODES = ["SEX//female", "Größe", ""]
VALUES = [None, 1.5, -3.0]


def test_it_is_the_table_that_pyarrow_makes() -> None:
    nothing = [None] * 3
    expected = pa.table([[7] * 3, TIMES, CODES, VALUES, nothing, nothing], schema=EVENTS)
    made = few_events(7, TIMES, CODES, VALUES)
    made.validate(full=True)
    assert made.equals(expected)
    assert few_events(7, [], [], []).equals(EVENTS.empty_table())


def test_neither_pandas_nor_scipy_is_imported_for_an_answer() -> None:
    code = (
        "import sys; import posology.workflows.recommend\n"
        "import posology.learners.outcome_models.tree_policy\n"
        "import posology.learners.outcome_models.logistic\n"
        "import posology.learners.network.policy\n"
        "from posology.records.io.few_events import few_events\n"
        "few_events(1, [None], ['A'], [1.0])\n"
        "print(sorted({'scipy', 'pandas', 'pyarrow.parquet'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
