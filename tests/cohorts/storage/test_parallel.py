"""Whatever runs the jobs, the results are the same and in order."""

import importlib.util
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from posology.cohorts.storage.folder import BuildOptions, build_folder
from posology.cohorts.storage.parallel import PACKAGES, rows_within, run_parallel
from posology.errors import RecordError, UserError
from tests.cohorts.storage.test_cached_parts import STUDY, files, write


def square(number: int) -> int:
    if number < 0:
        raise RecordError("negative")
    return number * number


def test_results_are_in_order_with_any_number_of_workers() -> None:
    seen: list[tuple[int, int]] = []
    found = list(run_parallel(square, range(5), 1, lambda done, total: seen.append((done, total))))
    assert found == [0, 1, 4, 9, 16]
    assert seen == [(n, 5) for n in range(1, 6)]


@pytest.fixture(params=["dask", "ray", "spark"])
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each engine whose package is here, and its warnings, which are not ours, ignored."""
    package = PACKAGES[request.param]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"no {request.param} here: pip install {package}")
    if request.param == "spark" and shutil.which("java") is None:
        pytest.skip("no Java here, which Spark needs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield request.param


def test_an_engine_gives_the_same_results_and_errors(engine: str) -> None:
    assert list(run_parallel(square, range(5), 2, engine=engine)) == [0, 1, 4, 9, 16]
    with pytest.raises(RecordError, match="negative"):
        list(run_parallel(square, [1, -1], 2, engine=engine))


def test_an_engine_builds_the_same_cohort_byte_by_byte(engine: str, tmp_path: Path) -> None:
    for shard in (0, 1, 2):
        write(tmp_path / "events", shard, shard)
    build_folder(STUDY, tmp_path / "events", tmp_path / "one", BuildOptions(40))
    options = BuildOptions(40, workers=2, engine=engine)
    build_folder(STUDY, tmp_path / "events", tmp_path / "two", options)
    assert files(tmp_path / "two") == files(tmp_path / "one")


@pytest.mark.parametrize("absent", ["dask", "ray", "spark"])
def test_an_engine_without_its_package_is_an_error(
    absent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("distributed", "ray.util.joblib", "pyspark"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=rf"--engine {absent}: needs a package: pip install "):
        list(run_parallel(square, [1], 1, engine=absent))


def test_an_unknown_engine_is_an_error() -> None:
    with pytest.raises(UserError, match="--engine slurm: is not one of loky, dask, ray, spark"):
        list(run_parallel(square, [1], 1, engine="slurm"))


def test_events_in_memory_follow_from_the_memory_of_all_processes() -> None:
    assert rows_within(1_000_000_000, 1) == 2_500_000
    assert rows_within(3_000_000_000, 2) == 2_500_000, "two workers and the main process"
    message = "--memory 500 MB: 2 workers need at least 795 MB; give more, or fewer --workers"
    with pytest.raises(UserError, match=message):
        rows_within(500_000_000, 2)


def test_the_peak_of_each_process_is_reported() -> None:
    peaks: list[int] = []
    list(run_parallel(square, range(3), 1, report_peak=peaks.append))
    assert len(peaks) == 3
    assert min(peaks) > 10_000_000
