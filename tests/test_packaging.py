"""What is installed has every file that it reads, and the hosted checks can be read."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import posology

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "posology"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
IS_CHECKOUT = (ROOT / ".git").exists()


def data_files() -> list[Path]:
    """Files of the package and the examples that are no code."""
    files = [*PACKAGE.rglob("*"), *(ROOT / "examples").rglob("*")]
    return [f for f in files if f.is_file() and f.suffix not in (".py", ".pyc")]


@pytest.mark.skipif(not IS_CHECKOUT, reason="the rules of git decide what hatchling leaves out")
def test_no_file_that_the_package_reads_is_left_out() -> None:
    """hatchling takes whole folders but for what git ignores; a release has what git has."""
    names = [f.relative_to(ROOT).as_posix() for f in data_files()]
    listed = subprocess.run(
        ["git", "ls-files", "-z", "src/posology", "examples"], cwd=ROOT, capture_output=True
    )
    assert set(names) - set(listed.stdout.decode().split("\0")) == set()
    ignored = subprocess.run(["git", "check-ignore", "--no-index", *names], cwd=ROOT)
    assert ignored.returncode == 1
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel == {
        "packages": ["src/posology"],
        "force-include": {"examples": "posology/examples"},
    }


def test_the_package_reads_nothing_outside_itself() -> None:
    """But the examples, which the wheel holds too, and the checkout's commit, if there is one."""
    beyond = re.compile(r"parents\[(\d+)\]|((?:\.parent){2,})")
    outside = []
    for path in PACKAGE.rglob("*.py"):
        depth = len(path.relative_to(PACKAGE).parts) - 1  # parents[depth] is the package
        for line in path.read_text(encoding="utf-8").splitlines():
            match = beyond.search(line) if "__file__" in line else None
            if match and int(match[1] or len(match[2]) // len(".parent") - 1) > depth:
                outside.append(path.relative_to(PACKAGE).as_posix())
    assert sorted(outside) == ["cohorts/study/reader.py", "workflows/results.py"]


def test_no_text_installs_posology_from_pypi_where_it_is_not() -> None:
    texts = [*PACKAGE.rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    from_pypi = re.compile(r"""pip\s+install\s+['"]?posology\b""")
    found = [path.name for path in texts if from_pypi.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_a_wheel_has_every_file(tmp_path: Path) -> None:
    builder = pytest.importorskip("hatchling.builders.wheel", reason="pip install hatchling")
    (wheel,) = builder.WheelBuilder(str(ROOT)).build(directory=str(tmp_path))
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    for file in data_files():
        place = "src" if file.is_relative_to(PACKAGE) else "."
        name = file.relative_to(ROOT / place).as_posix()
        assert (name if place == "src" else f"posology/{name}") in inside


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == posology.__version__
    command = [sys.executable, "-m", "posology", "--version"]
    printed = subprocess.run(command, capture_output=True, text=True).stdout
    assert printed == f"posology {posology.__version__}\n"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_what_a_hosted_check_runs_is_there(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] > 0
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            for target in re.findall(r"\bmake (\w+)", step.get("run", "")):
                assert target in targets or step.get("working-directory") == "first"
            for place in re.findall(r"\btests/[\w/.]+", step.get("run", "")):
                assert (ROOT / place).exists(), place


def test_every_machine_is_checked() -> None:
    ci = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    machines = ci["jobs"]["machines"]["strategy"]["matrix"]
    assert machines["os"] == ["macos-latest", "windows-latest"]
    for job in ci["jobs"].values():
        assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
