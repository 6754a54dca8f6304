"""ICU-Sepsis: intensive-care patients with the exact survival of every policy.

Choudhary, Gupta and Thomas 2024 (arXiv:2406.05646), package `icu-sepsis` 2.0.1 (MIT), built from
MIMIC-III after Komorowski et al. 2018 (Nat Med 24:1716). 716 states, of which the last three are
death, survival and the end; 25 treatments, five levels of fluid by five of vasopressor; reward 1
on survival, no discount. Under an inadmissible treatment a patient moves as under the average of
the admissible ones. The package requires `gym`, which is not needed here: only its data files are
read.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from posology.errors import UserError
from posology.simulators.mdp import Mdp, StateMask, StatePolicy

LEVELS = 5
DEATH, SURVIVAL, END = 713, 714, 715


@dataclass(frozen=True, slots=True, eq=False)
class Sepsis:
    """The process, the clinicians' policy, and the admissible treatments."""

    mdp: Mdp
    clinician: StatePolicy
    admissible: StateMask


def load() -> Sepsis:
    """The matrices of the package; UserError if it is not installed."""
    assets = _assets()
    with np.load(assets / "dynamics.npz", allow_pickle=False) as data:
        transition, start = data["tx_mat"], data["d_0"]
        clinician = data["expert_policy"]
    states = len(start)
    reward = np.zeros(states)
    reward[SURVIVAL] = 1.0
    mdp = Mdp(
        transition=transition,
        reward=reward,
        start=start,
        terminal=np.arange(states) >= DEATH,
        names=tuple(
            f"fluid{fluid}_vasopressor{vasopressor}"
            for fluid in range(LEVELS)
            for vasopressor in range(LEVELS)
        ),
    )
    clinician[DEATH:] = 1 / clinician.shape[1]  # no decision there, but rows must sum to 1
    clinician = clinician / clinician.sum(axis=1, keepdims=True)
    return Sepsis(mdp, clinician, _admissible(assets / "admissible_actions.txt", clinician.shape))


def _admissible(path: Path, shape: tuple[int, ...]) -> StateMask:
    """One line per state with its treatments' numbers, after a first line with their count."""
    mask = np.zeros(shape, dtype=bool)
    for state, line in enumerate(path.read_text().splitlines()[1 : shape[0] + 1]):
        mask[state, [int(number) for number in line.split()]] = True
    return mask


def _assets() -> Path:
    spec = find_spec("icu_sepsis")  # does not import the package, which would need gym
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise UserError(
            "the sepsis simulator reads the package icu-sepsis, which is not installed; "
            "install it with: pip install --no-deps icu-sepsis==2.0.1"
        )
    return Path(places[0]) / "envs" / "assets"
