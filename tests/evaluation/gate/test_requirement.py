"""A gate opens only if every requirement holds, and gives each reason."""

import json

import pytest

from posology.evaluation.gate.requirement import GateVerdict, Requirement
from posology.evaluation.intervals import Interval

GAIN = Requirement(
    "value", True, "The gain is 0.02 (0.01 to 0.03).", Interval(0.02, 0.01, 0.03), 0.0
)
UNKNOWN = Requirement("calibration", False, "Only 12 patients can judge it; 200 are needed.")


def test_a_gate_is_open_only_if_every_requirement_holds() -> None:
    assert GateVerdict((GAIN,)).is_open
    assert not GateVerdict((GAIN, UNKNOWN)).is_open


def test_a_gate_without_requirements_is_refused() -> None:
    with pytest.raises(ValueError, match="would let every policy through"):
        GateVerdict(())


def test_reasons_and_figures_reach_json() -> None:
    written = json.loads(json.dumps(GateVerdict((GAIN, UNKNOWN)).to_json()))
    assert written["gate"] == "closed"
    first, second = written["requirements"]
    assert (first["estimate"], first["low"], first["high"], first["threshold"]) == (
        0.02,
        0.01,
        0.03,
        0,
    )
    assert (second["estimate"], second["holds"]) == (None, False)
    assert second["reason"] == UNKNOWN.reason
