import itertools
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from posology.evaluation.classification import roc_curves
from posology.evaluation.table1.calibration import assess_calibration
from posology.evaluation.table1.comparison import compare_models
from posology.evaluation.table1.subgroups import SubgroupRow
from posology.report.table1 import plots
from tests.builders import scored_cohorts


def line(axes, at):
    return np.asarray(axes.lines[at].get_xdata()), np.asarray(axes.lines[at].get_ydata())


def test_correct_doses_are_on_x_and_predicted_doses_on_y():
    truth, dose = np.array([10.0, 20.0, np.nan, 40.0]), np.array([12.0, 18.0, 5.0, 44.0])
    (axes,) = plots.plot_doses(dose, truth, "mg/week").axes
    x, y = line(axes, 1)
    assert x.tolist() == [10, 20, 40]
    assert y.tolist() == [12, 18, 44]
    assert axes.get_xlim() == axes.get_ylim() == (0, 44)
    assert axes.get_xlabel() == "Correct dose (mg/week)"
    assert axes.get_ylabel() == "Predicted dose (mg/week)"


def test_the_band_is_20_percent():
    (axes,) = plots.plot_doses(np.array([50.0]), np.array([50.0]), "mg").axes
    corners = axes.collections[0].get_paths()[0].vertices
    edge = axes.get_xlim()[1]
    at_edge = corners[corners[:, 0] == edge][:, 1]
    assert (at_edge.min(), at_edge.max()) == pytest.approx((0.8 * edge, 1.2 * edge))


def test_an_outlier_is_drawn_at_the_edge_and_counted(rng):
    truth = np.append(rng.uniform(10, 60, 999), 315.0)
    (axes,) = plots.plot_doses(truth.copy(), truth, "mg/week").axes
    edge = axes.get_xlim()[1]
    assert edge < 100
    x, y = line(axes, 2)
    assert (x.tolist(), y.tolist()) == ([edge], [edge])
    assert "1 beyond the axes" in [t.get_text() for t in axes.get_legend().get_texts()]
    assert len(line(axes, 1)[0]) == 999


def test_curves_have_the_measured_points(rng):
    cohort = scored_cohorts.make_cohort(rng, 200)
    said = scored_cohorts.make_predictions(rng, cohort, 1.0)
    curves = roc_curves(said.effectiveness, cohort.best_treatment)
    (axes,) = plots.plot_roc(curves, ["a", "b", "c"]).axes
    for at, curve in enumerate(curves, start=1):
        x, y = line(axes, at)
        assert np.array_equal(x, curve.false_positive_rate)
        assert np.array_equal(y, curve.true_positive_rate)
    labels = [t.get_text() for t in axes.get_legend().get_texts()]
    assert labels == [f"{n}: {c.auc:.3f}" for n, c in zip("abc", curves, strict=True)]
    found = assess_calibration(said.effectiveness, cohort.best_treatment, cohort.subject, rng, 20)
    (axes,) = plots.plot_calibration(found, ["a", "b", "c"]).axes
    x, y = line(axes, 1)
    assert np.allclose(x, [b.predicted for b in found[0].bins])
    assert np.allclose(y, [b.observed for b in found[0].bins])


def contest(rng, noise):
    cohort = scored_cohorts.make_cohort(rng, 200)
    named = {model: scored_cohorts.make_predictions(rng, cohort, z) for model, z in noise.items()}
    return compare_models(named, cohort, rng, replicates=100)


def test_the_forest_plot_has_every_baseline_and_no_variant_of_the_reference(rng):
    table = contest(rng, {"posology": 1, "posology_paper": 1, "logistic": 2, "forest": 2.2})
    (axes,) = plots.plot_contrasts(table, "mae").axes
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        "Random forest",
        "Logistic regression",
    ]
    drawn = [(lines[0].get_xdata()[0], lines[0].get_ydata()[0]) for lines in axes.containers]
    tests = [table.test(m, "mae") for m in ("forest", "logistic")]
    assert sorted(drawn, key=lambda d: d[1]) == [(t.difference, y) for y, t in enumerate(tests)]
    assert "mg/week" in axes.get_xlabel()
    assert "better to the left" in axes.get_xlabel()
    assert "right" in plots.plot_contrasts(table, "accuracy").axes[0].get_xlabel()


def test_a_large_difference_is_written_at_the_edge(rng):
    table = contest(rng, {"posology": 1.0, "logistic": 1.4, "forest": 1.5, "fixed": 12.0})
    (axes,) = plots.plot_contrasts(table, "mae").axes
    far = table.test("fixed", "mae")
    written = f"{far.difference:+.2f} ({far.low:.2f} to {far.high:.2f})"
    assert [t.get_text() for t in axes.texts] == [written]
    assert axes.get_xlim()[0] > far.difference


def test_groups_without_an_estimate_are_not_drawn():
    rows = [
        SubgroupRow("race", "Asian", "mae", 7.0, 6.0, 8.0, 100, 100, True),
        SubgroupRow("race", "Black", "mae", np.nan, np.nan, np.nan, 12, 12, False),
        SubgroupRow("sex", "male", "mae", 8.0, 7.5, 8.5, 200, 200, True),
    ]
    (axes,) = plots.plot_groups(rows, 7.5, "Dose error (mg/week)").axes
    labels = [t.get_text() for t in axes.get_yticklabels()]
    assert labels == ["sex: male (n = 200)", "race: Asian (n = 100)"]
    assert [c[0].get_xdata()[0] for c in axes.containers] == [8.0, 7.0]
    assert line(axes, 0)[0].tolist() == [7.5, 7.5]
    assert axes.get_xlabel() == "Dose error (mg/week)"


def test_no_number_of_the_axis_of_differences_covers_another(rng):
    """As the rewards of the demonstration were."""
    table = contest(rng, {"posology": 1, "logistic": 1.5, "forest": 1.6, "boosting_formula": 1.4})
    ends = itertools.cycle(((0.01, -0.014, 0.031), (0.107, 0.058, 0.157), (0.045, 0.0, 0.086)))
    tests = [
        replace(t, difference=d, low=low, high=high)
        for t, (d, low, high) in zip(table.tests, ends, strict=False)
    ]
    figure = plots.plot_contrasts(replace(table, tests=tuple(tests)), "reward")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [t.get_window_extent(canvas.get_renderer()) for t in figure.axes[0].get_xticklabels()]
    ordered = sorted((box.x0, box.x1) for box in boxes)
    assert all(left[1] < right[0] for left, right in itertools.pairwise(ordered)), ordered
