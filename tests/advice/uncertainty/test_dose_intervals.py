import numpy as np
import pytest

from posology.advice.uncertainty.dose_intervals import (
    DoseBand,
    DosePredictions,
    band_of,
    dose_intervals,
    fit_dose_intervals,
)

CLASSES = (DoseBand(1.0, 21.0, has_high=False), DoseBand(21.0, 49.0), DoseBand(49.0, 175.0))


def simulated(
    patients: int, seed: int, bands: tuple[DoseBand, ...] = CLASSES
) -> tuple[DosePredictions, np.ndarray]:
    """Doses whose predictions shrink to the mean, as every regression's do."""
    rng = np.random.default_rng(seed)
    known = rng.normal(3.3, 0.35, patients)
    right = np.clip(np.exp(known + rng.normal(0, 0.35, patients)), 2.0, 170.0)
    draws = np.exp(known[:, None] + rng.normal(0, 0.35, (patients, 200)))
    number = band_of(draws.ravel(), bands).reshape(draws.shape)
    probability = np.column_stack([(number == k).mean(axis=1) for k in range(len(bands))])
    nobody = ((), np.zeros((patients, 0), dtype=bool))
    return DosePredictions(np.exp(known), probability, nobody), right


def test_the_wide_interval_covers_every_band_of_the_right_dose() -> None:
    """Of 4,000 new patients; the plain split covers under half of those who need much."""
    said, right = simulated(4000, 0)
    fitted = fit_dose_intervals(said, right, CLASSES)
    assert fitted is not None
    said, right = simulated(4000, 1)
    found = dose_intervals(fitted, said)
    inside = (found.ready_low <= right) & (right <= found.ready_high)
    band = band_of(right, CLASSES)
    assert [inside[band == k].mean() > 0.77 for k in range(3)] == [True] * 3
    assert 0.79 <= inside.mean() <= 0.84
    planned = (found.plan_low <= right) & (right <= found.plan_high)
    assert planned.mean() == pytest.approx(0.8, abs=0.02)
    plain = np.abs(np.sqrt(right) - np.sqrt(said.dose))
    assert (plain <= np.quantile(plain, 0.8))[band == 2].mean() < 0.6


def test_a_band_that_other_bands_cover_gets_a_lower_threshold() -> None:
    """The hull of what is kept in the low and the high band holds most medium doses anyway."""
    said, right = simulated(4000, 6)
    fitted = fit_dose_intervals(said, right, CLASSES)
    assert fitted is not None
    found = dose_intervals(fitted, said)
    medium = band_of(right, CLASSES) == 1
    inside = (found.ready_low <= right) & (right <= found.ready_high)
    assert 0.80 <= inside[medium].mean() <= 0.805


def test_the_narrow_interval_lies_within_the_wide_one_and_around_the_dose() -> None:
    said, right = simulated(500, 2)
    fitted = fit_dose_intervals(said, right, CLASSES)
    assert fitted is not None
    found = dose_intervals(fitted, said)
    assert (found.ready_low <= found.plan_low).all()
    assert (found.plan_low <= found.plan_high).all()
    assert (found.plan_high <= found.ready_high).all()
    assert (found.plan_high - found.plan_low < found.ready_high - found.ready_low).any()


def test_a_prediction_far_outside_still_gets_an_interval_of_possible_doses() -> None:
    said, right = simulated(500, 3)
    fitted = fit_dose_intervals(said, right, CLASSES)
    assert fitted is not None
    nobody = ((), np.zeros((3, 0), dtype=bool))
    sure = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.3, 0.4, 0.3]])
    found = dose_intervals(fitted, DosePredictions(np.array([1e-12, 1e9, 30.0]), sure, nobody))
    for bound in (found.ready_low, found.ready_high, found.plan_low, found.plan_high):
        assert ((bound >= 1.0) & (bound <= 175.0)).all()
    assert (found.plan_low <= found.plan_high).all()


def test_a_study_without_classes_takes_thirds_of_the_right_doses() -> None:
    said, right = simulated(600, 4)
    said = DosePredictions(said.dose, None, said.groups)
    fitted = fit_dose_intervals(said, right, ())
    assert fitted is not None
    assert len(fitted.bands) == 3
    counts = np.bincount(band_of(right, fitted.bands))
    assert counts.tolist() == pytest.approx([200, 200, 200], abs=1)
    assert fitted.band_weight == 0.0
    assert fitted.bands[0].low < right.min()
    assert fitted.bands[-1].high > right.max()
    right[right.argmax()] *= 5  # one patient's dose
    assert fit_dose_intervals(said, right, ()).bands == fitted.bands


def test_classes_meet_where_the_study_says() -> None:
    dose = np.array([20.9, 21.0, 49.0, 49.1, 500.0])
    assert band_of(dose, CLASSES).tolist() == [0, 1, 1, 2, 2]


def test_unknown_doses_are_ignored_and_three_are_too_few() -> None:
    said, right = simulated(60, 5)
    right[3:] = np.nan
    assert fit_dose_intervals(said, right, CLASSES) is None
    dose = np.where(np.arange(60) < 30, said.dose, np.nan)
    said, right = DosePredictions(dose, said.band_probability, said.groups), simulated(60, 5)[1]
    fitted = fit_dose_intervals(said, right, CLASSES)
    assert fitted is not None
    assert fitted.patients == 30


def test_an_interval_to_plan_for_outside_the_wide_one_ends_at_it() -> None:
    """Once its low end was above its high end, where a dose's own band is improbable."""
    rng = np.random.default_rng(0)
    right = rng.uniform(5, 60, 400)
    dose = right * np.exp(rng.normal(0, 0.03, 400))
    dose[:20] *= np.exp(rng.normal(0, 0.6, 20))
    probability = 0.1 + 0.7 * np.eye(3)[band_of(right, CLASSES)]
    nobody = ((), np.zeros((400, 0), dtype=bool))
    fitted = fit_dose_intervals(DosePredictions(dose, probability, nobody), right, CLASSES)
    assert fitted is not None
    dose, probability = rng.uniform(2, 80, 20_000), rng.dirichlet([0.3] * 3, 20_000)
    nobody = ((), np.zeros((20_000, 0), dtype=bool))
    found = dose_intervals(fitted, DosePredictions(dose, probability, nobody))
    assert (found.plan_low <= found.plan_high).all()
    assert (found.ready_low <= found.plan_low).all()
    assert (found.plan_high <= found.ready_high).all()
