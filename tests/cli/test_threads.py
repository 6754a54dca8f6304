"""Commands that learn use one thread, of libraries loaded before and after alike."""

import importlib
import inspect
import os

import pytest
from threadpoolctl import threadpool_info

from posology.cli.progress import use_one_thread
from tests.builders.command_line import run_python

THREADS = """
import os
os.environ.pop("OMP_NUM_THREADS", None)
import numpy
from posology.cli.progress import use_one_thread
use_one_thread()
import sklearn.ensemble
from threadpoolctl import threadpool_info
print({pool["num_threads"] for pool in threadpool_info()})
"""


def test_every_pool_of_threads_has_one() -> None:
    done = run_python(THREADS, None)
    assert done.stdout.strip() == "{1}", done.stderr


def test_a_number_that_the_user_sets_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before = [pool["num_threads"] for pool in threadpool_info()]
    use_one_thread()
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert [pool["num_threads"] for pool in threadpool_info()] == before


@pytest.mark.parametrize("command", ["effect", "evaluate", "fit", "monitor", "pretrain", "tune"])
def test_commands_that_learn_use_it(command: str) -> None:
    module = importlib.import_module(f"posology.cli.{command}")
    assert "\n    use_one_thread()" in inspect.getsource(module) or (
        "\n        use_one_thread()" in inspect.getsource(module)
    )
