"""What leaves a hospital: every estimate, no patient, no small count, not even by subtraction."""

import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import numpy as np
import pytest

from posology.domain.serialization import deserialize, serialize
from posology.domain.statistics.study_summary import StudySummary, summary_schema
from posology.errors import UserError
from posology.evaluation.pooling.consistency import describe_contradiction
from posology.workflows.effect_study import EffectResult, effect_study
from posology.workflows.pooling.share import share_effects, summarise_study
from tests.builders.hospitals import hospital_cohorts

PUBLISHED = files("posology.domain.statistics") / "study_summary.schema.json"


@pytest.fixture(scope="module")
def result() -> EffectResult:
    return effect_study(hospital_cohorts((300,))[0], repeats=0)


@pytest.fixture(scope="module")
def summary(result: EffectResult) -> StudySummary:
    return summarise_study(result)


def test_the_published_schema_is_that_of_the_types_and_of_the_file(result, tmp_path) -> None:
    text = json.dumps(summary_schema(), indent=1) + "\n"
    assert PUBLISHED.read_text(encoding="utf-8") == text, "write summary_schema() to the file"
    shared = share_effects(result, tmp_path / "a.json")
    body = json.loads((tmp_path / "a.json").read_text())
    jsonschema.validate(body, summary_schema())
    assert deserialize(StudySummary, body, {}) == shared.summary


def test_what_is_written_agrees_with_itself(summary) -> None:
    assert describe_contradiction(summary) == ""


def test_it_states_the_question_and_what_was_adjusted(result, summary) -> None:
    assert summary.study.name == "iwpc"
    assert ("outcome.kind", '"value_in_range"') in summary.study.protocol
    assert summary.analysis.covariates == result.trial.covariates
    assert (summary.analysis.reference, summary.patients) == ("low", 300)


def test_effects_and_errors_are_those_of_the_scores(result, summary) -> None:
    """Independent patients: the plain standard error of the mean, to four digits."""
    main = summary.outcomes[0]
    scores = result.nuisance.scores
    names = result.cohort.study.formulary.names
    assert {e.name for e in main.effects} >= {"medium", "high"}
    columns = []
    for effect in main.effects[:2]:
        column = scores[:, names.index(effect.name)] - scores[:, 0]
        columns.append(column)
        error = column.std(ddof=1) / np.sqrt(len(column))
        assert effect.effect == pytest.approx(column.mean(), abs=error / 1000)
        assert effect.standard_error == pytest.approx(error, rel=1e-3)
    expected = np.cov(*columns)[0, 1] / len(scores)
    assert main.covariance[0][1] == pytest.approx(expected, abs=2e-3 * np.abs(expected) + 1e-6)


def _true_counts(result: EffectResult, family: str, group: str, option: int | None) -> dict:
    """Patients, those with the outcome, those without, from the patients themselves."""
    from posology.evaluation.table1.subgroups import find_subgroups

    rows = np.ones(len(result.trial.row), dtype=bool)
    for found in find_subgroups(result.cohort):
        if (found.family, found.name) == (family, group):
            rows = found.mask[result.trial.row]
    if option is not None:
        rows = rows & (result.trial.trial.treatment == option)
    good = (result.cohort.effective[result.trial.row] > 0) & rows
    return {"patients": int(rows.sum()), "events": int(good.sum())}


def test_no_count_under_five_is_written_and_each_that_is_is_right(result, summary) -> None:
    names = result.cohort.study.formulary.names
    written = 0
    for outcome in summary.outcomes:
        if outcome.role != "outcome":
            continue
        for value in outcome.values:
            option = names.index(value.name) if value.kind == "option" else None
            true = _true_counts(result, outcome.family, outcome.group, option)
            for key, count in (("patients", value.patients), ("events", value.events)):
                if count is not None:
                    assert count == true[key]
                    assert count >= 5 or true["patients"] == 0
                    written += 1
            if value.value is not None and value.kind == "option":
                assert true["events"] >= 5
                assert true["patients"] - true["events"] >= 5
    assert written > 20


def test_subtracting_groups_from_the_whole_reveals_no_small_count(result, summary) -> None:
    """For every family, option and kind of count: total minus all groups that are written."""
    names = result.cohort.study.formulary.names
    table: dict[tuple[str, str, str], dict[str, int | None]] = {}
    for outcome in summary.outcomes:
        for value in outcome.values:
            if outcome.role == "outcome" and value.kind in ("option", "observed"):
                table.setdefault((outcome.family, value.name, "patients"), {})[outcome.group] = (
                    value.patients
                )
                table.setdefault((outcome.family, value.name, "events"), {})[outcome.group] = (
                    value.events
                )
    attacked = 0
    for (family, name, key), counts in table.items():
        if not family or table["", name, key][""] is None:
            continue
        hidden = [group for group, count in counts.items() if count is None]
        option = names.index(name) if name in names else None
        true = [_true_counts(result, family, group, option)[key] for group in hidden]
        if hidden:
            attacked += 1
            assert sum(true) >= 5
    assert attacked > 3


def test_an_estimate_of_few_events_is_held_back(result, summary) -> None:
    """2 % of 100 patients an option had the harm: k / n would be known from its value."""
    harm = next(outcome for outcome in summary.outcomes if outcome.role == "harm")
    bleeding = result.cohort.diagnosis[result.trial.row, 0] > 0
    for value in harm.values:
        if value.kind == "option":
            option = result.cohort.study.formulary.names.index(value.name)
            events = int((bleeding & (result.trial.trial.treatment == option)).sum())
            assert (value.value is None) == bool(value.reason)
            assert events >= 5 or value.value is None
    assert any(value.reason for value in harm.values)


def test_no_subject_stands_in_the_file(result, summary) -> None:
    ids = result.cohort.history.subject_id + 987_654_000
    history = replace(result.cohort.history, subject_id=ids)
    named = replace(result, cohort=replace(result.cohort, history=history))
    text = json.dumps(serialize(summarise_study(named), {}))
    assert not any(str(number) in text for number in ids)


def test_a_stricter_hospital_shares_less(result, summary) -> None:
    strict = summarise_study(result, 20)
    counts = [v.patients for o in strict.outcomes for v in o.values if v.patients is not None]
    assert min(counts) >= 20
    withheld = [
        sum(bool(v.reason) for o in s.outcomes for v in o.values) for s in (strict, summary)
    ]
    assert withheld[0] > withheld[1]
    with pytest.raises(UserError, match="--share-from 3: counts under 5 are never shared"):
        summarise_study(result, 3)


def test_few_patients_are_refused(result) -> None:
    few = result.trial.trial.subject % 4 == 0
    verdict = result.estimates.verdict
    overlap = replace(verdict.overlap, population=few)
    estimates = replace(result.estimates, verdict=replace(verdict, overlap=overlap))
    with pytest.raises(UserError, match="75 patients were analysed; a summary is shared from 100"):
        summarise_study(replace(result, estimates=estimates))


def test_a_rule_that_differs_for_few_patients_is_held_back(result) -> None:
    """One patient treated differently: the difference would be that patient's outcome."""
    chosen = result.estimates.verdict.chosen_by_run
    name = "guideline: like medium"
    for patients, is_shared in ((0, True), (1, False), (40, True)):
        probability = np.eye(3)[np.ones(chosen.shape[1], dtype=np.int64)]
        probability[:patients] = [1.0, 0.0, 0.0]
        rules = {name: replace(next(iter(result.rules.values())), probability=probability)}
        values = (
            *result.estimates.rule_values,
            replace(result.estimates.rule_values[0], rule=name),
        )
        estimates = replace(result.estimates, rule_values=values)
        shared = summarise_study(replace(result, rules=rules, estimates=estimates)).outcomes[0]
        value = next(v for v in shared.values if v.name == name)
        assert (value.value is not None) == is_shared, patients
