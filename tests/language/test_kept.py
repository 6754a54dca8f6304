"""Sentences that a fit kept in English are read in the language of the answer."""

import numpy as np
import pytest

from posology.causal.trajectories.gain import TrajectoryGain
from posology.language.catalogue import ENGLISH, GERMAN, in_language
from posology.language.kept import in_other_words
from posology.workflows.gate.protect import judge_gain
from posology.workflows.gate.protection import EVIDENCE, describe_protection

KEPT = [
    (
        "only 7 validation patients were followed to the end of their trajectory, 50 are needed",
        "nur 7 Validierungspatienten wurden bis zum Ende ihres Verlaufs beobachtet, 50 sind nötig",
    ),
    (
        "only 7 validation patients were followed, 50 are needed",
        "nur 7 Validierungspatienten wurden beobachtet, 50 sind nötig",
    ),
    (
        "only 3 of 70 validation patients count as treated like that, 20 are needed",
        "nur 3 von 70 Validierungspatienten zählen als so behandelt, 20 sind nötig",
    ),
    (
        "gain +0.12, at least -0.03 with 95 % confidence, on 70 validation patients",
        "Nutzen +0,12, mindestens -0,03 mit 95 % Sicherheit, bei 70 Validierungspatienten",
    ),
    (
        "no policy was shown to hold every harm budget, namely falls",
        "für keine Strategie ist gezeigt, dass sie alle Schadensgrenzen einhält, nämlich: falls",
    ),
]


@pytest.mark.parametrize(("kept", "german"), KEPT)
def test_the_reason_of_the_gate_is_read_in_german(kept: str, german: str) -> None:
    evidence = {EVIDENCE: {"used": False, "reason": kept}}
    assert describe_protection(evidence).endswith(f"better than usual care ({kept}).")
    with in_language(GERMAN):
        assert describe_protection(evidence).endswith(f"({german}).")


@pytest.mark.parametrize("language", [ENGLISH, GERMAN])
def test_what_others_wrote_stays_as_it_is(language: str) -> None:
    evidence = {EVIDENCE: {"used": False, "reason": "a reason of theirs"}}
    with in_language(language):
        assert describe_protection(evidence).endswith("(a reason of theirs).")
        assert in_other_words("anything", ((r"only .*", "x"),)) == ""


@pytest.mark.parametrize("patients", [9, 900])
def test_the_reasons_that_a_fit_keeps_today_are_known(patients: int) -> None:
    values = np.full(patients, 0.5)
    found = judge_gain(TrajectoryGain(values, values - 0.1, np.ones(patients)), -0.01)
    with in_language(GERMAN):
        assert " Validierungspatienten" in describe_protection({EVIDENCE: found.to_json()})
