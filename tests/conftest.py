import gc
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import jaxtyping
import torch
from hypothesis import settings

from tests.builders.shapes import check_shapes

jaxtyping.jaxtyped = check_shapes  # what its import hook (pyproject.toml) puts on functions
torch.set_num_threads(1)
gc.set_threshold(50_000)  # what is imported and collected are two million objects: see them seldom
# A busy machine is slow; that is no fault of what is tested. Everybody gets the same examples, so
# that a change is judged by what it changed: look for new ones by --hypothesis-profile=search.
settings.register_profile("any machine", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, derandomize=False)
settings.load_profile("any machine")


LONG = (
    "tests/test_tutorials.py",
    "tests/cli/test_demo.py",
    "tests/workflows/test_new_project.py",
    "tests/service/pages/test_browser.py",
    "tests/cli/test_evaluate.py",
    "tests/learners/network/test_distributed.py",
    "tests/report/test_accessible.py",
    "tests/cohorts/storage/test_cached_parts.py",
    "tests/advice/form/test_same_as_cohort.py",
    "tests/workflows/over_time/test_update.py",
    "tests/workflows/plans/test_outlook.py",
    "tests/learners/offline_rl/test_learners.py",
    "tests/learners/offline_rl/test_usual_care.py",
    "tests/learners/effects/test_cross_fitting.py",
)
"""Files that take ten seconds or more for few tests."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Between workers the long files come first, then those with many tests.

    A worker takes file after file: with the small ones last, none waits long for the other.
    """
    if not hasattr(config, "workerinput"):
        return
    tests = Counter(item.location[0] for item in items)
    items.sort(key=lambda item: (item.location[0] not in LONG, -tests[item.location[0]]))


def pytest_collection_finish() -> None:
    """What is imported stays: the garbage collector need not look at it in each of its rounds."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Test data that lies beside the project; tests that need it skip where it is absent."""
    places = (Path(os.environ.get("POSOLOGY_SHARED", "")), Path(__file__).parents[2] / "shared")
    for place in places:
        if place.is_dir() and place.name == "shared":
            return place
    pytest.skip("no ../shared beside the project: its data are needed here")


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory) -> Iterator[str]:
    """A PostgreSQL server of our own on a socket, as a URL."""
    pytest.importorskip("psycopg", reason="no psycopg: pip install 'posology[postgres]'")
    url = os.environ.get("POSOLOGY_POSTGRESQL")
    if url:
        yield url
        return
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("no PostgreSQL server on this machine")
    folder = Path(tmp_path_factory.mktemp("pg", numbered=True))
    place = Path("/tmp") / f"posology-{os.getpid()}"  # a socket's path has at most 107 characters
    place.mkdir()
    user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL does not run as root
        if shutil.which("runuser") is None:
            pytest.skip("PostgreSQL does not run as root, and there is no runuser")
        user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(place, "postgres")
    data, log = place / "data", folder / "log"
    options = f"-c listen_addresses='' -k {place} -F"
    start = [*user, "pg_ctl", "-D", str(data), "-o", options, "-l", str(place / "log"), "-w"]
    try:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
        initdb = [*user, "initdb", "-D", str(data), "-A", "trust", "-U", "posology", "-E", "UTF8"]
        subprocess.run(initdb, **quiet)
        subprocess.run([*start, "start"], **quiet)
        yield f"postgresql://posology@/postgres?host={place}"
        subprocess.run([*start, "-m", "immediate", "stop"], **quiet)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"PostgreSQL does not start here: {error} {log}")
    finally:
        shutil.rmtree(place, ignore_errors=True)
