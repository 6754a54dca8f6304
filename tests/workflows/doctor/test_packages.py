"""Packages and extras are judged by what posology itself declares."""

import importlib.metadata as metadata
import tomllib
from pathlib import Path

import pytest

from posology.workflows.doctor.check import GOOD, NOTE, PROBLEM
from posology.workflows.doctor.packages import USES, check_packages
from posology.workflows.doctor.sizes import check_sizes

REQUIRES = [
    "numpy>=1.26,<3",
    "absent-package>=2",
    'fastapi>=0.1; extra == "serve"',
    'absent-service>=1; extra == "serve"',
    'lightgbm>=4; extra == "boosting"',
]


@pytest.fixture
def declared(monkeypatch):
    """posology requires REQUIRES; what is installed is in the dict that this returns."""
    installed = {"posology": "1.0", "numpy": "2.1", "fastapi": "0.2", "lightgbm": "3.9"}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    class Names:
        def get_all(self, _name: str) -> list[str]:
            return ["boosting", "serve"]

    monkeypatch.setattr(metadata, "requires", lambda name: REQUIRES if name == "posology" else [])
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "metadata", lambda _name: Names())
    return installed


def test_a_required_package_that_is_absent_is_a_problem(declared) -> None:
    problem = next(check for check in check_packages() if check.status == PROBLEM)
    assert problem.finding == "Required: absent-package>=2."
    assert (
        problem.mend == "Run pip install . in a clone again, or pip install FILE.whl with a wheel."
    )


def test_a_required_package_that_is_too_new_is_a_problem(declared) -> None:
    declared |= {"numpy": "3.0", "absent-package": "2.0"}
    problem = next(check for check in check_packages() if check.status == PROBLEM)
    assert problem.finding == "Required: numpy<3,>=1.26 (installed: 3.0)."


def test_an_extra_is_a_note_that_says_how_to_install_it(declared) -> None:
    serve, boosting = [check for check in check_packages() if check.part == "extras"]
    assert serve.status == boosting.status == NOTE
    assert "Missing: absent-service>=1." in serve.finding
    assert serve.mend == (
        'For that: pip install ".[serve]" in a clone, "FILE.whl[serve]" with a wheel.'
    )
    assert "Missing: lightgbm>=4 (installed: 3.9)." in boosting.finding


def test_nothing_is_wrong_where_all_is_installed(declared) -> None:
    declared |= {"absent-package": "2.0", "absent-service": "1.0", "lightgbm": "4.1"}
    assert {check.status for check in check_packages()} == {GOOD}


def test_every_extra_says_what_it_is_for() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert set(USES) == set(project["project"]["optional-dependencies"])


def test_sizes_are_those_of_the_files(tmp_path, monkeypatch) -> None:
    for name, size in (("small", 2**20), ("large", 5 * 2**20)):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (tmp_path / f"{name}.pyc").write_bytes(bytes(2**20))
        (info / "RECORD").write_text(f"{name}.py,sha256=x,{size}\n{name}.pyc,,\ngone.pyc,,\n")
    found = list(metadata.distributions(path=[str(tmp_path)]))
    monkeypatch.setattr(metadata, "distributions", lambda: found)
    assert check_sizes().finding == (
        "2 packages are installed here, 8 MB; the largest: large 6, small 2."
    )
