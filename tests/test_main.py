"""`python -m posology` is the command."""

import runpy
import sys

import pytest


def test_python_m_posology_is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["posology", "serve", "audit", "verify", "--folder", "/gone"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("posology", run_name="__main__")
    assert ended.value.code == 2
    assert "/gone/service.key: does not exist" in capsys.readouterr().err
