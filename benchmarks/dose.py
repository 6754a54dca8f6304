"""How much, where every patient's curve is known: regret, doses above toxic, error of the curve.

    python -m benchmarks.dose --repetitions 10 --json FILE

Two settings of simulators/dose.py, 2,000 patients to learn from and 4,000 others. Every model
looks for its dose inside the same support (5 to 95 % of the dose given what was known); `posology`
is told that the outcome has one best dose (shape unimodal), `posology_free` is not. `rmise` is the
root mean squared error of the curve over the doses inside the support.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.rows import keep, summary, write
from posology.causal.dose_support import Support, dose_support, fit_support
from posology.learners.dose_response import Settings, curves, fit_dose_response
from posology.simulators import dose as simulator
from posology.simulators.dose import Sample

GRID = np.linspace(0, 1, 101)
Curve = Callable[[np.ndarray], np.ndarray]


def network(drawn: Sample, shape: str) -> Curve:
    """The mean curve of our ensemble."""
    settings = Settings(shape=shape)
    fitted = fit_dose_response(drawn.covariates, drawn.dose, drawn.outcome, settings)
    return lambda asked: curves(fitted, asked, GRID).mean(axis=0)


def regression(drawn: Sample, model: object) -> Curve:
    """Any regression with the dose as one more covariate."""
    model.fit(np.column_stack([drawn.covariates, drawn.dose]), drawn.outcome)

    def asked_of(asked: np.ndarray) -> np.ndarray:
        every = (np.column_stack([asked, np.full(len(asked), dose)]) for dose in GRID)
        return np.column_stack([model.predict(rows) for rows in every])

    return asked_of


def models(drawn: Sample) -> dict[str, Curve]:
    """Every curve that is compared."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    polynomial = make_pipeline(
        PolynomialFeatures(3), StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))
    )
    boosting = HistGradientBoostingRegressor(early_stopping=False, random_state=0)
    return {
        "posology": network(drawn, "unimodal"),
        "posology_free": network(drawn, "free"),
        "boosting": regression(drawn, boosting),
        "polynomial": regression(drawn, polynomial),
    }


def imitated(support: Support, asked: np.ndarray) -> np.ndarray:
    """What clinicians give such patients: the median of the support."""
    low, high = dose_support(support, asked)
    return (low + high) / 2


def repeat(setting: str, seed: int) -> dict[tuple[str, str], float]:
    """One draw of a setting."""
    rng = np.random.default_rng([seed, simulator.SETTINGS.index(setting)])
    drawn, asked = simulator.draw(setting, 2_000, rng), rng.normal(size=(4_000, 6))
    support = fit_support(drawn.covariates, drawn.dose, np.arange(2_000) % 5)
    low, high = dose_support(support, asked)
    spoken = (low[:, None] <= GRID) & (high[:, None] >= GRID)
    truth = np.stack([simulator.expected(asked, np.full(len(asked), d)) for d in GRID], axis=1)
    found, doses = {}, {"imitate": imitated(support, asked)}
    for model, curve in models(drawn).items():
        said = curve(asked)
        doses[model] = GRID[np.where(spoken, said, -np.inf).argmax(axis=1)]
        found[model, "rmise"] = float(np.sqrt(((said - truth)[spoken] ** 2).mean()))
    for model, dose in doses.items():
        found[model, "regret"] = simulator.regret(asked, dose)
        found[model, "above_toxic"] = float((dose > simulator.toxic_above(asked)).mean())
    return found


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started = time.time()
    found = {setting: [] for setting in simulator.SETTINGS}
    for r in range(arguments.repetitions):
        for setting in simulator.SETTINGS:
            found[setting].append(repeat(setting, arguments.seed + r))
        print(f"{r + 1} of {arguments.repetitions}: {time.time() - started:.0f} s", flush=True)
        keep(arguments.json, summary(found), arguments.seed, started)
    write(arguments.json, summary(found), arguments.seed, started)


if __name__ == "__main__":
    main()
