from dataclasses import replace

import numpy as np
import pytest

from posology.domain.cohort import Cohort, subset_decisions
from posology.errors import UserError
from posology.evaluation.table1.comparison import compare_models, to_rows
from posology.evaluation.table1.headline import write_headline
from posology.evaluation.table1.metrics import METRICS
from posology.evaluation.table1.predictions import select_predictions
from tests.builders import scored_cohorts

REPLICATES = 300


def compare(rng, ours, theirs, n=400):
    """Table 1 of posology with one amount of noise against baselines with others."""
    cohort = scored_cohorts.make_cohort(rng, n)
    predictions = {"posology": scored_cohorts.make_predictions(rng, cohort, ours)}
    predictions |= {
        model: scored_cohorts.make_predictions(rng, cohort, noise)
        for model, noise in theirs.items()
    }
    return compare_models(predictions, cohort, rng, replicates=REPLICATES)


def test_every_model_has_every_metric_inside_its_interval(rng):
    table = compare(rng, 1.0, {"logistic": 2.0, "posology_supervised": 1.2})
    assert [(r.model, r.metric) for r in table.rows] == [
        (m, x) for m in ("posology", "logistic", "posology_supervised") for x in METRICS
    ]
    for r in table.rows:
        assert (r.study, r.split, r.n) == ("made_up", "test", 400)
        assert r.low <= r.value <= r.high
    assert {(t.metric, t.model) for t in table.tests} == {
        (x, m) for m in ("logistic", "posology_supervised") for x in METRICS
    }
    for t in table.tests:
        gap = table.row("posology", t.metric).value - table.row(t.model, t.metric).value
        assert t.difference == pytest.approx(gap)


def test_holm_corrects_baselines_and_variants_as_two_families(rng):
    table = compare(rng, 1.0, {"logistic": 1.1, "forest": 1.1, "posology_paper": 1.1})
    for metric in METRICS:
        own = table.test("posology_paper", metric)
        assert own.p_holm == own.p
        pair = [table.test(m, metric) for m in ("logistic", "forest")]
        smallest = min(pair, key=lambda t: t.p)
        assert smallest.p_holm == pytest.approx(min(1.0, 2 * smallest.p))


def test_the_clearly_better_model_is_better_on_both_kinds_of_metric(rng):
    table = compare(rng, 0.5, {"logistic": 4.0})
    assert {t.verdict for t in table.tests} == {"better"}
    assert table.test("logistic", "mae").difference < 0
    assert table.test("logistic", "accuracy").difference > 0


def test_the_same_generator_gives_the_same_table(rng):
    cohort = scored_cohorts.make_cohort(rng, 60)
    predictions = {"posology": scored_cohorts.make_predictions(rng, cohort, 1.0)}
    tables = [
        compare_models(predictions, cohort, np.random.default_rng(1), replicates=50)
        for _ in range(2)
    ]
    assert tables[0] == tables[1]


def test_models_are_compared_on_the_decisions_with_both_doses(rng):
    cohort = scored_cohorts.make_cohort(rng, 80)
    ours, theirs = (scored_cohorts.make_predictions(rng, cohort, 1.0) for _ in range(2))
    gap = theirs.dose.copy()
    gap[:30] = np.nan
    partly = replace(theirs, dose=gap)
    table = compare_models(
        {"posology": ours, "formula": partly}, cohort, rng, replicates=REPLICATES
    )
    test = table.test("formula", "mae")
    errors = [np.abs(a.dose - cohort.outcome)[30:].mean() for a in (ours, theirs)]
    assert test.difference == pytest.approx(errors[0] - errors[1])
    assert (test.n, table.row("formula", "mae").n, table.row("posology", "mae").n) == (50, 50, 80)
    assert test.low < test.difference < test.high


def test_a_model_without_doses_has_no_dose_metrics(rng):
    cohort = scored_cohorts.make_cohort(rng, 40)
    ours = scored_cohorts.make_predictions(rng, cohort, 1.0)
    without_dose = replace(ours, dose=np.full(40, np.nan))
    table = compare_models(
        {"posology": ours, "without_dose": without_dose}, cohort, rng, replicates=REPLICATES
    )
    assert np.isnan(table.row("without_dose", "mae").value)
    assert table.row("without_dose", "mae").n == 0
    assert table.test("without_dose", "mae").verdict == "untested"
    written = next(
        r for r in to_rows(table) if (r["model"], r["metric"]) == ("without_dose", "mae")
    )
    assert list(written) == ["study", "model", "split", "metric", "value", "low", "high", "n"]
    assert (written["value"], written["low"], written["n"]) == (None, None, 0)
    assert table.test("without_dose", "accuracy").verdict == "tie"


def test_accuracy_of_repeated_decisions_is_tested_by_the_bootstrap_over_subjects(rng):
    once = scored_cohorts.make_cohort(rng, 60)
    predictions = {
        "posology": scored_cohorts.make_predictions(rng, once, 1.0),
        "logistic": scored_cohorts.make_predictions(rng, once, 2.0),
    }
    alone = compare_models(predictions, once, rng, replicates=REPLICATES).test(
        "logistic", "accuracy"
    )
    same_subject = replace(once, subject=np.repeat(np.arange(20), 3))
    table = compare_models(predictions, same_subject, rng, replicates=REPLICATES)
    assert table.subjects == 20
    assert table.test("logistic", "accuracy").p != alone.p
    assert table.test("logistic", "accuracy").p * (REPLICATES + 1) / 2 == pytest.approx(
        round(table.test("logistic", "accuracy").p * (REPLICATES + 1) / 2)
    )


def test_predictions_of_another_cohort_are_an_error(rng):
    cohort, other = scored_cohorts.make_cohort(rng, 40), scored_cohorts.make_cohort(rng, 30)
    wrong = {"posology": scored_cohorts.make_predictions(rng, other, 1.0)}
    with pytest.raises(
        UserError, match="predictions for 30 decisions, the cohort has 40: predict this"
    ):
        compare_models(wrong, cohort, rng)
    with pytest.raises(UserError, match="no predictions of 'posology'"):
        compare_models({"logistic": wrong["posology"]}, cohort, rng)
    empty = subset_decisions(cohort, np.zeros(40, bool))
    with pytest.raises(UserError, match="no decisions: there is nothing to score"):
        compare_models(
            {"posology": select_predictions(wrong["posology"], np.zeros(30, bool))}, empty, rng
        )


def test_equal_models_are_seldom_called_different():
    rng = np.random.default_rng(11)
    significant = 0
    for _ in range(30):
        table = compare(rng, 1.5, {"logistic": 1.5}, n=120)
        significant += sum(t.verdict != "tie" for t in table.tests)
    assert significant / (30 * len(METRICS)) < 0.12


def test_headline_of_a_win(rng):
    headline = write_headline(
        compare(rng, 0.4, {"logistic": 3.0, "forest": 2.0, "posology_paper": 0.1})
    )
    assert headline.startswith(
        "Posology wins on 400 patients held out for the test: it is better than"
    )
    assert "all 2 baselines" in headline
    assert "mg/week less than that of the random forest" not in headline  # the unit stands once
    assert "less than that of the random forest (95 % interval of the difference -" in headline
    assert headline.endswith("after Holm's correction).")
    assert headline.count(". ") == 0


def test_headline_of_a_loss(rng):
    headline = write_headline(compare(rng, 3.0, {"logistic": 0.4, "fixed": 9.0}))
    assert headline.startswith(
        "Posology loses on 400 patients held out for the test: its mean dose"
    )
    assert "more than that of logistic regression (95 % interval of the difference +" in headline
    assert headline.endswith("and it is better than 1 of 2 baselines.")


def test_headline_of_a_tie(rng):
    headline = write_headline(compare(rng, 1.0, {"boosting": 1.0}))
    assert headline.startswith("No winner on 400 patients held out for the test: posology does not")
    assert "differ significantly from gradient boosting" in headline
    assert headline.endswith("and it is better than no baseline.")


def test_headline_without_doses_is_about_accuracy(rng):
    cohort = scored_cohorts.make_cohort(rng, 300)
    without_dose = np.full(300, np.nan)
    predictions = {
        "posology": replace(scored_cohorts.make_predictions(rng, cohort, 0.5), dose=without_dose),
        "logistic": replace(scored_cohorts.make_predictions(rng, cohort, 3.0), dose=without_dose),
    }
    headline = write_headline(
        compare_models(predictions, cohort, rng, split="kfold", replicates=REPLICATES)
    )
    assert headline.startswith(
        "Posology wins on 300 patients, each held out once: it is better than"
    )
    assert " points above that of logistic regression" in headline


def test_headline_without_baselines(rng):
    headline = write_headline(compare(rng, 0.5, {"posology_paper": 1.0}))
    assert headline == "Posology was compared with no baseline, so there is no winner."


def split_by_site(cohort: Cohort, sites: int) -> Cohort:
    """The same decisions, dealt out to sites of equal size."""
    split = replace(cohort.study.split, by="site")
    site = (np.arange(len(cohort)) % sites).astype(np.int32)
    return replace(cohort, study=replace(cohort.study, split=split), site=site)


def test_equal_models_are_seldom_called_different_at_other_sites():
    """Each site favours one model or the other by chance; on average they are equal.

    40 draws of a 5 % test: at most 3 standard errors more. Resampling patients called 27 of 40
    different.
    """
    rng, significant = np.random.default_rng(5), 0
    for _ in range(40):
        cohort = split_by_site(scored_cohorts.make_cohort(rng, 200), 10)
        model = scored_cohorts.make_predictions(rng, cohort, 1.0)
        errors = np.abs(rng.normal(0, 4, (2, 10))[:, cohort.site] + rng.normal(0, 2, (2, 200)))
        ours, theirs = (
            replace(model, dose=(cohort.outcome + e).astype(model.dose.dtype)) for e in errors
        )
        table = compare_models({"posology": ours, "logistic": theirs}, cohort, rng, replicates=200)
        significant += table.test("logistic", "mae").p < 0.05
    assert significant <= 6


def test_a_clear_difference_is_found_at_other_sites_and_the_sites_are_stated(rng):
    cohort = split_by_site(scored_cohorts.make_cohort(rng, 400), 8)
    predictions = {
        "posology": scored_cohorts.make_predictions(rng, cohort, 0.5),
        "logistic": scored_cohorts.make_predictions(rng, cohort, 4.0),
    }
    table = compare_models(predictions, cohort, rng, split="site")
    assert table.sites == 8
    assert table.test("logistic", "mae").verdict == "better"
    assert table.test("logistic", "accuracy").verdict == "better"
    headline = write_headline(table)
    assert headline.startswith("Posology wins on 400 patients of 8 sites at hospitals held out in")


def test_with_one_site_nothing_is_tested(rng):
    cohort = split_by_site(scored_cohorts.make_cohort(rng, 60), 1)
    predictions = {
        "posology": scored_cohorts.make_predictions(rng, cohort, 0.5),
        "logistic": scored_cohorts.make_predictions(rng, cohort, 4.0),
    }
    table = compare_models(predictions, cohort, rng)
    assert {t.verdict for t in table.tests} == {"untested"}
    assert np.isnan(table.row("posology", "mae").low)
    assert write_headline(table) == (
        "No winner: all patients are of one site, and differences at other sites cannot be tested "
        "with fewer than two."
    )
