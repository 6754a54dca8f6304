from dataclasses import replace
from io import StringIO

import numpy as np
from rich.console import Console

from posology.evaluation.table1.comparison import compare_models
from posology.evaluation.table1.headline import MODEL_TITLES
from posology.report.table1.terminal import render_table1
from tests.builders import scored_cohorts


def printed(table, width=80):
    out = StringIO()
    Console(file=out, width=width).print(render_table1(table))
    return out.getvalue()


def test_table_1_fits_80_columns_with_every_value(rng):
    cohort = scored_cohorts.make_cohort(rng, 100)
    named = {
        model: scored_cohorts.make_predictions(rng, cohort, noise)
        for model, noise in (("posology", 0.5), ("posology_supervised", 0.6), ("fixed", 9.0))
    }
    table = compare_models(named, cohort, rng, replicates=100)
    text = printed(table)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 80
    for metric in ("accuracy", "f1", "auc", "reward"):
        assert f"{table.row('fixed', metric).value:.3f} ▲" in text
    assert f"{table.row('fixed', 'mae').value:.2f} ▲" in text
    assert "Dose error (mg/week)" in text
    assert "100 patients, split test" in text


def test_every_model_of_ours_has_its_name_on_one_line(rng):
    cohort = scored_cohorts.make_cohort(rng, 30)
    ours = scored_cohorts.make_predictions(rng, cohort, 0.5)
    longest = "another_program_of_the_hospital"
    text = printed(compare_models(dict.fromkeys((*MODEL_TITLES, longest), ours), cohort, rng))
    first_words = [line.split()[0] for line in text.splitlines() if line.strip()]
    for model in MODEL_TITLES:
        assert first_words.count(model) == 2, "one table of options, one of doses"
    assert "…" not in text, "a longer name goes on in the next line"
    assert "".join(first_words).count(longest) >= 1


def test_markup_in_a_model_name_is_text_and_missing_doses_are_marked(rng):
    cohort = scored_cohorts.make_cohort(rng, 50)
    ours = scored_cohorts.make_predictions(rng, cohort, 1.0)
    without_dose = replace(ours, dose=np.full(50, np.nan))
    text = printed(
        compare_models({"posology": ours, "[red]x": without_dose}, cohort, rng, replicates=50)
    )
    assert "[red]x" in text
    assert "n/a" in text
    no_dose = {"posology": without_dose}
    text = printed(compare_models(no_dose, cohort, rng, replicates=50))
    assert "Dose error" not in text
    assert "Reward" in text
