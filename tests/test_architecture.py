"""The shape of the house, as tests: who imports whom, how large things are, what is banned."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def test_rooms_import_downward_only() -> None:
    run = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_functions_and_classes_stay_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400, "a file answers one question: split it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or 0) - node.lineno + 1
            # A verb of the command line lists its options; its body stays as short as any.
            options = len(node.args.args) * 4 if "cli" in path.parts else 0
            assert size <= 60 + options, f"{node.name} has {size} lines"
            if node.args.kwarg:
                raise AssertionError(f"{node.name} forwards **{node.args.kwarg.arg}")
        if isinstance(node, ast.ClassDef):
            assert (node.end_lineno or 0) - node.lineno < 150, f"{node.name} is too large"


def test_classes_do_not_inherit_from_our_own_except_errors() -> None:
    classes = [
        (path, node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    # Strict: pydantic's way to say "no extra keys"
    ours = {c.name for _, c in classes} - {"PosologyError", "ServiceError", "UserError", "Strict"}
    for path, node in classes:
        bases = {b.id for b in node.bases if isinstance(b, ast.Name)}
        assert not bases & ours, f"{path.name}: {node.name} inherits from {bases & ours}"


def test_importing_posology_imports_no_torch() -> None:
    code = "import posology, sys; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_ingest_and_cohort_import_no_torch() -> None:
    """It takes 2 processor seconds, which is most of a small ingest."""
    names = "posology.workflows.ingest, posology.workflows.cohorts, posology.cli"
    code = f"import {names}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_no_dumping_grounds() -> None:
    names = {p.stem for p in SOURCES}
    assert not names & {"utils", "util", "helpers", "helper", "common", "misc", "types"}


def test_folders_stay_small() -> None:
    for folder in {path.parent for path in SOURCES}:
        files = sorted(folder.glob("*.py"))
        assert len(files) <= 20, f"{folder.relative_to(ROOT)} holds {len(files)} files: group them"


def test_private_vocabulary_stays_out() -> None:
    odd = re.compile(r"\b(?:told|said|asked)\b")
    uses = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (ROOT / "src").rglob("*")
        if path.suffix in {".py", ".j2", ".toml"}
        for line in path.read_text(encoding="utf-8").splitlines()
        if odd.search(line)
    ]
    assert len(uses) < 40, "name what a value is (prediction, message, request):\n" + "\n".join(
        uses
    )
