"""Unwritable places are found before the work; unexpected exceptions exit with 70."""

import errno
import io
import sys

import pytest

from posology.cli import main
from posology.errors import UserError
from tests.builders.command_line import run_python

NOWHERE = "/proc/nowhere"  # no user can write there
OUTPUTS = [
    ("ingest", "--out", f"{NOWHERE}/out"),
    ("ingest", "--out", "OUT", "--json", f"{NOWHERE}.json"),
    ("cohort", "iwpc", "gone", "--out", f"{NOWHERE}/out"),
    ("cohort", "iwpc", "gone", "--out", "OUT", "--parts", f"{NOWHERE}/parts"),
    ("fit", "gone", "--out", f"{NOWHERE}/out"),
    ("fit", "gone", "--json", f"{NOWHERE}.json"),
    ("fit", "gone", "--resume", f"{NOWHERE}/resume"),
    ("evaluate", "gone", "gone", "--report", f"{NOWHERE}.html"),
    ("evaluate", "gone", "gone", "--json", f"{NOWHERE}.json"),
    ("effect", "gone", "--report", f"{NOWHERE}.html"),
    ("effect", "gone", "--json", f"{NOWHERE}.json"),
    ("recommend", "gone", "--patient", "gone", "--json", f"{NOWHERE}.json"),
    ("predict", "gone", "gone", "--json", f"{NOWHERE}.json"),
    ("pretrain", "gone", "--out", f"{NOWHERE}.weights"),
    ("pretrain", "gone", "--out", "OUT", "--json", f"{NOWHERE}.json"),
    ("tune", "gone", "--out", f"{NOWHERE}/out"),
    ("tune", "gone", "--json", f"{NOWHERE}.json"),
    ("simulate", "clinic", "--out", f"{NOWHERE}/out"),
    ("demo", "--out", f"{NOWHERE}/out"),
    ("template", "iwpc", "--out", f"{NOWHERE}.json"),
    ("pgx", "--tables", "gone", "--json", f"{NOWHERE}.json"),
    ("safety", "check", "gone", "--json", f"{NOWHERE}.json"),
    ("safety", "seal", "gone", "--json", f"{NOWHERE}.json"),
    ("conform", "http://127.0.0.1:9", "--json", f"{NOWHERE}.json"),
    ("conform", "http://127.0.0.1:9", "--html", f"{NOWHERE}.html"),
    ("conform", "--make-key", "/proc"),
    ("serve", "make-keys", "--out", NOWHERE),
    ("serve", "sign", "--key", "gone", NOWHERE),
    ("serve", "audit", "export", "--out", f"{NOWHERE}.ndjson"),
    ("tune", "gone", "--out", "/proc"),
    ("demo", "--out", "/proc"),
    ("fit", "gone", "--resume", "/proc"),
    ("cohort", "iwpc", "gone", "--out", "OUT", "--parts", "/proc"),
]


def run(monkeypatch, capsys, words):
    monkeypatch.setattr(sys, "argv", ["posology", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("words", OUTPUTS, ids=lambda words: " ".join(words[:1] + words[-2:-1]))
def test_an_unwritable_place_is_found_before_anything_is_read(monkeypatch, capsys, tmp_path, words):
    words = [word.replace("OUT", str(tmp_path / "out")) for word in words]
    code, error = run(monkeypatch, capsys, words)
    assert code == 2
    assert f"{words[-1]}: cannot be written" in error
    assert "make room in /proc or choose another place" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("words", [("effect", "gone", "--json"), ("effect", "gone", "--report")])
def test_a_folder_instead_of_a_file_is_an_error(monkeypatch, capsys, tmp_path, words):
    code, error = run(monkeypatch, capsys, [*words, tmp_path])
    assert (code, error) == (2, f"posology: {tmp_path}: is a folder; name a file.")


def test_a_file_instead_of_a_folder_is_an_error(monkeypatch, capsys, tmp_path):
    (tmp_path / "a").touch()
    code, error = run(monkeypatch, capsys, ["fit", "gone", "--out", tmp_path / "a"])
    assert (code, error) == (2, f"posology: {tmp_path / 'a'}: is a file; name a folder.")


def test_a_disk_that_is_full_at_the_end_is_one_paragraph(monkeypatch, capsys):
    code, error = run(monkeypatch, capsys, ["template", "iwpc", "--out", "/dev/full"])
    assert code == 2
    assert error.startswith("posology: ")
    assert "no space left on device; make room or choose a place" in error


@pytest.mark.parametrize(
    ("raised", "code", "expected"),
    [
        (ZeroDivisionError("1/0"), 70, "this is a defect of posology; please report it"),
        (OSError(errno.EBADF, "odd"), 70, "this is a defect of posology; please report it"),
        (OSError(errno.ENOSPC, "No space left", "a.bin"), 2, "a.bin: no space left; make room"),
        (MemoryError(), 2, "there is not enough memory; use a smaller --rows or --memory"),
    ],
)
def test_only_what_the_caller_can_mend_exits_with_2(monkeypatch, capsys, raised, code, expected):
    def fails():
        raise raised

    monkeypatch.setattr("posology.cli.app", fails)
    ended, error = run(monkeypatch, capsys, [])
    assert ended == code
    assert expected in error
    assert ("Traceback" in error) == (code == 70)


class FullDisk(io.StringIO):
    def flush(self):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_error_that_cannot_be_printed_still_exits_with_2(monkeypatch):
    def fail():
        raise UserError("x")

    monkeypatch.setattr("posology.cli.app", fail)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, FullDisk())
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    for stream in (sys.stdout, sys.stderr):  # as Python does when it ends
        stream.flush()
        stream.close()


MISTYPED = """
import sys
from posology.cli import app
from posology.errors import UserError
from tests.builders.command_line import run_python
for line in ("evaluate gone gone", "effect gone", "fit gone", "tune gone", "monitor gone gone"):
    try:
        app(line.split(), standalone_mode=False)
    except UserError:
        found = {"torch", "sklearn", "matplotlib"} & set(sys.modules)
        assert not found, f"{line}: {found}"
        print(line)
"""


def test_a_mistyped_path_does_not_wait_for_what_learning_imports():
    done = run_python(MISTYPED, None)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5
