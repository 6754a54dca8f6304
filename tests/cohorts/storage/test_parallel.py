"""Whatever runs the jobs, the results are the same and in order."""

import sys

import pytest

from posology.cohorts.storage.parallel import run_parallel
from posology.errors import RecordError, UserError


def square(number: int) -> int:
    if number < 0:
        raise RecordError("negative")
    return number * number


def test_results_are_in_order_with_any_number_of_workers() -> None:
    seen: list[tuple[int, int]] = []
    found = list(run_parallel(square, range(5), 1, lambda done, total: seen.append((done, total))))
    assert found == [0, 1, 4, 9, 16]
    assert seen == [(n, 5) for n in range(1, 6)]


def test_dask_gives_the_same_results_and_errors() -> None:
    pytest.importorskip("distributed", reason="no Dask here: pip install distributed")
    assert list(run_parallel(square, range(5), 2, engine="dask")) == [0, 1, 4, 9, 16]
    with pytest.raises(RecordError, match="negative"):
        list(run_parallel(square, [1, -1], 2, engine="dask"))


@pytest.mark.parametrize("engine", ["dask", "ray", "spark"])
def test_an_engine_without_its_package_is_an_error(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("distributed", "ray.util.joblib", "joblibspark"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=rf"--engine {engine}: needs a package: pip install "):
        list(run_parallel(square, [1], 1, engine=engine))


def test_an_unknown_engine_is_an_error() -> None:
    with pytest.raises(UserError, match="--engine slurm: is not one of loky, dask, ray, spark"):
        list(run_parallel(square, [1], 1, engine="slurm"))
