"""Random covariates of warfarin patients."""

import numpy as np

from posology.simulators.warfarin.pharmacology import Patients


def warfarin_patients(count: int, seed: int = 0) -> Patients:
    """Adults of every genotype and race, without interacting drugs."""
    rng = np.random.default_rng(seed)
    return Patients(
        age=rng.uniform(30, 90, count),
        height=rng.uniform(150, 195, count),
        weight=rng.uniform(50, 110, count),
        cyp2c9=rng.integers(6, size=count),
        vkorc1=rng.integers(3, size=count),
        race=rng.integers(4, size=count),
        amiodarone=np.zeros(count),
        inducer=np.zeros(count),
    )
