"""How much, where every patient's curve is known: regret, doses above toxic, error of the curve.

    python -m benchmarks.dose --repetitions 10 --json FILE

Two settings of simulators/dose_curves.py, 2,000 patients to learn from and 4,000 others. Every
model looks for its dose inside the same support (5 to 95 % of the dose given what was known), ours
on the cautious curve, as `best_doses` does; `posology` is told that the outcome has one best dose
(shape unimodal), `posology_free` is not. `rmise` is the root mean squared error of the mean curve
over the doses inside the support. `--alone` leaves the other models out.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.rows import keep, summary, write
from posology.causal.dose_support import DoseSupport, fit_dose_support, supported_dose_range
from posology.learners.effects.dose_response import (
    DoseResponseSettings,
    fit_dose_response,
    lower_curve,
    predict_curves,
)
from posology.simulators import dose_curves as simulator
from posology.simulators.dose_curves import Sample

GRID = np.linspace(0, 1, 101)
Curve = Callable[[np.ndarray], np.ndarray]


def network(drawn: Sample, shape: str) -> Curve:
    """The curves of our ensemble."""
    settings = DoseResponseSettings(shape=shape)
    fitted = fit_dose_response(drawn.covariates, drawn.dose, drawn.outcome, settings)
    return lambda asked: predict_curves(fitted, asked, GRID)


def regression(drawn: Sample, model: object) -> Curve:
    """Any regression with the dose as one more covariate."""
    model.fit(np.column_stack([drawn.covariates, drawn.dose]), drawn.outcome)

    def asked_of(asked: np.ndarray) -> np.ndarray:
        every = (np.column_stack([asked, np.full(len(asked), dose)]) for dose in GRID)
        return np.column_stack([model.predict(rows) for rows in every])[None]

    return asked_of


def ours(drawn: Sample) -> dict[str, Curve]:
    """With and without the knowledge that the outcome has one best dose."""
    return {"posology": network(drawn, "unimodal"), "posology_free": network(drawn, "free")}


def others(drawn: Sample) -> dict[str, Curve]:
    """What ours is compared with."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    polynomial = make_pipeline(
        PolynomialFeatures(3), StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))
    )
    boosting = HistGradientBoostingRegressor(early_stopping=False, random_state=0)
    return {
        "boosting": regression(drawn, boosting),
        "polynomial": regression(drawn, polynomial),
    }


def imitated(support: DoseSupport, asked: np.ndarray) -> np.ndarray:
    """What clinicians give such patients: the median of the support."""
    low, high = supported_dose_range(support, asked)
    return (low + high) / 2


def repeat(setting: str, seed: int, alone: bool) -> dict[tuple[str, str], float]:
    """One draw of a setting."""
    rng = np.random.default_rng([seed, simulator.SETTINGS.index(setting)])
    drawn, asked = simulator.draw_sample(setting, 2_000, rng), rng.normal(size=(4_000, 6))
    support = fit_dose_support(drawn.covariates, drawn.dose, np.arange(2_000) % 5)
    low, high = supported_dose_range(support, asked)
    spoken = (low[:, None] <= GRID) & (high[:, None] >= GRID)
    truth = np.stack(
        [simulator.expected_outcome(asked, np.full(len(asked), d)) for d in GRID], axis=1
    )
    found, doses = {}, {"imitate": imitated(support, asked)}
    for model, curve in (ours(drawn) | ({} if alone else others(drawn))).items():
        members = curve(asked)
        shape = "unimodal" if model == "posology" else "free"
        said = lower_curve(members, shape)  # the prediction of one member
        doses[model] = GRID[np.where(spoken, said, -np.inf).argmax(axis=1)]
        off = members.mean(axis=0) - truth
        found[model, "rmise"] = float(np.sqrt((off[spoken] ** 2).mean()))
    for model, dose in doses.items():
        found[model, "regret"] = simulator.regret(asked, dose)
        found[model, "above_toxic"] = float((dose > simulator.toxic_threshold(asked)).mean())
    return found


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alone", action="store_true", help="only our models")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started = time.time()
    found = {setting: [] for setting in simulator.SETTINGS}
    for r in range(arguments.repetitions):
        for setting in simulator.SETTINGS:
            found[setting].append(repeat(setting, arguments.seed + r, arguments.alone))
        print(f"{r + 1} of {arguments.repetitions}: {time.time() - started:.0f} s", flush=True)
        keep(arguments.json, summary(found), arguments.seed, started)
    write(arguments.json, summary(found), arguments.seed, started)


if __name__ == "__main__":
    main()
