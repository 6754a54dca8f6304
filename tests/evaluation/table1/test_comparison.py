from dataclasses import replace

import numpy as np
import pytest

from posology.domain.cohort import take
from posology.errors import UserError
from posology.evaluation.table1.comparison import METRICS, compare_models, to_rows
from posology.evaluation.table1.headline import write_headline
from posology.evaluation.table1.predictions import select_predictions
from tests.evaluation import synthetic

R = 300


def contest(rng, ours, theirs, n=400):
    """Table 1 of posology with one amount of noise against baselines with others."""
    cohort = synthetic.cohort(rng, n)
    named = {"posology": synthetic.answers(rng, cohort, ours)}
    named |= {model: synthetic.answers(rng, cohort, noise) for model, noise in theirs.items()}
    return compare_models(named, cohort, rng, replicates=R)


def test_every_model_has_every_metric_and_the_interval_holds_the_value(rng):
    table = contest(rng, 1.0, {"logistic": 2.0, "posology_supervised": 1.2})
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


def test_holm_counts_baselines_and_our_own_variants_apart(rng):
    table = contest(rng, 1.0, {"logistic": 1.1, "forest": 1.1, "posology_paper": 1.1})
    for metric in METRICS:
        own = table.test("posology_paper", metric)
        assert own.p_holm == own.p
        pair = [table.test(m, metric) for m in ("logistic", "forest")]
        smallest = min(pair, key=lambda t: t.p)
        assert smallest.p_holm == pytest.approx(min(1.0, 2 * smallest.p))


def test_the_clearly_better_model_is_better_on_both_kinds_of_metric(rng):
    table = contest(rng, 0.5, {"logistic": 4.0})
    assert {t.verdict for t in table.tests} == {"better"}
    assert table.test("logistic", "mae").difference < 0
    assert table.test("logistic", "accuracy").difference > 0


def test_the_same_generator_gives_the_same_table(rng):
    cohort = synthetic.cohort(rng, 60)
    named = {"posology": synthetic.answers(rng, cohort, 1.0)}
    tables = [
        compare_models(named, cohort, np.random.default_rng(1), replicates=50) for _ in range(2)
    ]
    assert tables[0] == tables[1]


def test_models_are_compared_on_the_doses_that_both_gave(rng):
    cohort = synthetic.cohort(rng, 80)
    ours, theirs = (synthetic.answers(rng, cohort, 1.0) for _ in range(2))
    gap = theirs.dose.copy()
    gap[:30] = np.nan
    partly = replace(theirs, dose=gap)
    table = compare_models({"posology": ours, "formula": partly}, cohort, rng, replicates=R)
    test = table.test("formula", "mae")
    errors = [np.abs(a.dose - cohort.outcome)[30:].mean() for a in (ours, theirs)]
    assert test.difference == pytest.approx(errors[0] - errors[1])
    assert (test.n, table.row("formula", "mae").n, table.row("posology", "mae").n) == (50, 50, 80)
    assert test.low < test.difference < test.high


def test_a_model_without_a_dose_has_no_dose_figures(rng):
    cohort = synthetic.cohort(rng, 40)
    ours = synthetic.answers(rng, cohort, 1.0)
    silent = replace(ours, dose=np.full(40, np.nan))
    table = compare_models({"posology": ours, "silent": silent}, cohort, rng, replicates=R)
    assert np.isnan(table.row("silent", "mae").value)
    assert table.row("silent", "mae").n == 0
    assert table.test("silent", "mae").verdict == "untested"
    written = next(r for r in to_rows(table) if (r["model"], r["metric"]) == ("silent", "mae"))
    assert list(written) == ["study", "model", "split", "metric", "value", "low", "high", "n"]
    assert (written["value"], written["low"], written["n"]) == (None, None, 0)
    assert table.test("silent", "accuracy").verdict == "tie"


def test_accuracy_of_repeated_decisions_is_tested_by_the_bootstrap_over_subjects(rng):
    once = synthetic.cohort(rng, 60)
    named = {
        "posology": synthetic.answers(rng, once, 1.0),
        "logistic": synthetic.answers(rng, once, 2.0),
    }
    alone = compare_models(named, once, rng, replicates=R).test("logistic", "accuracy")
    same_subject = replace(once, subject=np.repeat(np.arange(20), 3))
    table = compare_models(named, same_subject, rng, replicates=R)
    assert table.subjects == 20
    assert table.test("logistic", "accuracy").p != alone.p
    assert table.test("logistic", "accuracy").p * (R + 1) / 2 == pytest.approx(
        round(table.test("logistic", "accuracy").p * (R + 1) / 2)
    )


def test_answers_of_another_cohort_are_refused(rng):
    cohort, other = synthetic.cohort(rng, 40), synthetic.cohort(rng, 30)
    wrong = {"posology": synthetic.answers(rng, other, 1.0)}
    with pytest.raises(UserError, match="answered 30 decisions, the cohort has 40"):
        compare_models(wrong, cohort, rng)
    with pytest.raises(UserError, match="no answers of 'posology'"):
        compare_models({"logistic": wrong["posology"]}, cohort, rng)
    nobody = take(cohort, np.zeros(40, bool))
    with pytest.raises(UserError, match="no decisions: there is nothing to score"):
        compare_models(
            {"posology": select_predictions(wrong["posology"], np.zeros(30, bool))}, nobody, rng
        )


def test_differences_that_are_nothing_are_seldom_called_a_win():
    rng = np.random.default_rng(11)
    called = 0
    for _ in range(30):
        table = contest(rng, 1.5, {"logistic": 1.5}, n=120)
        called += sum(t.verdict != "tie" for t in table.tests)
    assert called / (30 * len(METRICS)) < 0.12


def test_headline_of_a_win(rng):
    said = write_headline(
        contest(rng, 0.4, {"logistic": 3.0, "forest": 2.0, "posology_paper": 0.1})
    )
    assert said.startswith("Posology wins on 400 patients held out for the test: it is ahead of")
    assert "all 2 baselines" in said
    assert "mg/week less than that of the random forest" not in said  # the unit stands once
    assert "less than that of the random forest (95 % interval of the difference -" in said
    assert said.endswith("after Holm's correction).")
    assert said.count(". ") == 0


def test_headline_of_a_loss(rng):
    said = write_headline(contest(rng, 3.0, {"logistic": 0.4, "fixed": 9.0}))
    assert said.startswith("Posology loses on 400 patients held out for the test: its mean dose")
    assert "more than that of logistic regression (95 % interval of the difference +" in said
    assert said.endswith("and it is ahead of 1 of 2 baselines.")


def test_headline_of_a_tie(rng):
    said = write_headline(contest(rng, 1.0, {"boosting": 1.0}))
    assert said.startswith("No winner on 400 patients held out for the test: posology cannot be")
    assert "told from gradient boosting" in said
    assert said.endswith("and it is ahead of no baseline.")


def test_headline_without_doses_is_about_accuracy(rng):
    cohort = synthetic.cohort(rng, 300)
    silent = np.full(300, np.nan)
    named = {
        "posology": replace(synthetic.answers(rng, cohort, 0.5), dose=silent),
        "logistic": replace(synthetic.answers(rng, cohort, 3.0), dose=silent),
    }
    said = write_headline(compare_models(named, cohort, rng, split="kfold", replicates=R))
    assert said.startswith("Posology wins on 300 patients, each held out once: it is ahead of the")
    assert " points above that of logistic regression" in said


def test_headline_of_nobody_to_beat(rng):
    said = write_headline(contest(rng, 0.5, {"posology_paper": 1.0}))
    assert said == "Posology was compared with no baseline, so nothing can be said about who wins."
