"""Guesses of `posology new` from other kinds of tables, and projects of records."""

import json
from pathlib import Path

import numpy as np
import pytest

from posology.cohorts.study.reader import parse_study
from posology.domain.study import Study
from posology.errors import UserError
from posology.records.sources.tables.column_kinds import Column, unit_in_name
from posology.workflows.cohorts import build_cohort, read_cohort
from posology.workflows.fit import fit
from posology.workflows.ingest import ingest
from posology.workflows.new.later import measured_again
from posology.workflows.new.project import Project, plan_project
from posology.workflows.new.request import Request
from posology.workflows.new.study import label
from posology.workflows.new.table import read_table
from posology.workflows.progress import no_progress


def plan(tmp_path: Path, text: str, **stated: object) -> Project:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return plan_project(Request(tmp_path / "p", "csv", path, **stated))  # type: ignore[arg-type]


def study_of(project: Project) -> Study:
    return parse_study(project.files["study.toml"], "study.toml")


def dry_run(project: Project) -> dict:
    project.write()
    ingest({"table": project.folder / "mapping.toml"}, project.folder / "events")
    return build_cohort(project.folder / "study.toml", project.folder / "events").flow


def times(months: bool = False) -> str:
    rng = np.random.default_rng(0)
    name = "survival_months" if months else "days"
    rows = [f"{i},{i % 2},{40 + i % 30},{rng.integers(10, 700)},{i % 3 == 0:d}" for i in range(60)]
    return "\n".join([f"id,trt,age,{name},status", *rows]) + "\n"


def test_days_and_an_event_are_a_time_to_an_event_without_dates(tmp_path) -> None:
    project = plan(tmp_path, times())
    roles = project.roles
    assert roles is not None
    assert (roles.kind, roles.time, roles.goal, roles.entry) == ("time", "days", "0", None)
    outcome = study_of(project).outcome
    assert (outcome.kind, outcome.codes) == ("time_to_event", ("OUTCOME//status//1",))
    assert "60" in str(dry_run(project)), "all patients are in the study"


def test_an_event_may_be_marked_only_where_it_happened(tmp_path) -> None:
    """As `write_csv` writes GBSG-2: once a receptor at entry was taken for the outcome."""
    marked = times().replace(",0\n", ",\n").replace("status", "event")
    project = plan(tmp_path, marked)
    assert project.roles is not None
    assert (project.roles.outcome, project.roles.kind, project.roles.goal) == ("event", "time", "")
    outcome = study_of(project).outcome
    assert (outcome.kind, outcome.codes) == ("time_to_event", ("OUTCOME//event//1",))
    with pytest.raises(UserError, match="--goal '1': event has no value but '1', the event; leave"):
        plan(tmp_path, marked, goal="1")
    bare = marked.replace("days", "weight")
    with pytest.raises(UserError, match=r"--outcome event: has no value but '1'\."):
        plan(tmp_path, bare, outcome="event")
    (tmp_path / "table.csv").write_text(marked)
    arms = dry_run(project)["arms"]
    assert sum(arm["decisions"] for arm in arms) == 60
    followed = [arm["days_quartiles"][2] for arm in arms]
    assert min(followed) > 300, "who had no event was followed too"


def test_a_time_in_months_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match=r"or the window itself, such as --days 365\."):
        plan(tmp_path, times(months=True))
    with pytest.raises(UserError, match="--days survival_months: the name says months"):
        plan(tmp_path, times(months=True), days="survival_months")


def test_a_table_of_a_german_hospital_is_understood(tmp_path) -> None:
    """Without these words the relapse was a fact known at entry, and a gap made numbers texts."""
    header = (
        "PatNr;Blutgruppe;Aufnahme;Therapie;Raucherstatus;Tumorgröße (mm);Rezidiv;Nachbeob. Tage"
    )
    sizes = ["21,0", "NA", "unbekannt", "8,5"]
    rows = [
        f"{i:06d};{'A0'[i % 2]};{1 + i % 28:02d}.03.1985;{['keine', 'Tamoxifen'][i % 2]};"
        f"{['nie', 'ex'][i % 2]};{sizes[i % 4]};{['ja', 'nein', 'unbekannt'][i % 3]};{99 + i}"
        for i in range(60)
    ]
    path = tmp_path / "table.csv"
    path.write_bytes("\n".join([header, *rows]).encode("cp1252"))
    project = plan_project(Request(tmp_path / "p", "csv", path))
    roles = project.roles
    assert roles is not None
    assert (roles.subject, roles.entry, roles.treatment) == ("PatNr", "Aufnahme", "Therapie")
    assert (roles.outcome, roles.goal, roles.time) == ("Rezidiv", "nein", "Nachbeob. Tage")
    known = [column.name for column in roles.covariates]
    assert known == ["Blutgruppe", "Raucherstatus", "Tumorgröße (mm)"]
    assert 'missing = ["NA", "unbekannt"]' in project.files["mapping.toml"]
    study = project.files["study.toml"]
    assert '\n[reference]\noption = "keine"  # CHECK' in study
    assert '\n"OUTCOME//Rezidiv//ja" = "Rezidiv"\n' in study


def test_points_of_thousands_are_read_as_at_ingest(tmp_path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("id;hb;leuko\n1;12,5;5.400\n2;11,0;11.250\n")
    assert read_table(path).numbers("leuko") == [5400.0, 11250.0]
    path.write_text("id,hb,ratio\n1,12.5,1.234\n2,11.0,0.500\n")
    assert read_table(path).numbers("ratio") == [1.234, 0.5]


def test_a_birth_tells_no_age_where_the_day_of_entry_is_made_up(tmp_path) -> None:
    rows = [
        f"{i};{i + 1}.05.1950;{'ab'[i % 2]};{['ja', 'nein', '?'][i % 3]};{i}" for i in range(27)
    ]
    head = "id;geburtsdatum;medikament;raucher;hb nach 3 mon"
    project = plan(tmp_path, "\n".join([head, *rows]) + "\n")
    assert project.roles is not None
    assert project.roles.outcome == "hb nach 3 mon"
    assert "MEDS_BIRTH" not in project.files["mapping.toml"]
    assert '"geburtsdatum" is not read: it tells no age without' in project.files["mapping.toml"]
    assert 'missing = ["?"]' in project.files["mapping.toml"]
    dated = "\n".join([f"aufnahme;{head}", *(f"3. März 2021;{row}" for row in rows)]) + "\n"
    text = plan(tmp_path, dated).files["mapping.toml"]
    assert 'time_format = "%d. %B %Y"\nmonths = "german"' in text
    assert 'code = "MEDS_BIRTH"' in text


def test_what_is_no_treatment_and_no_outcome_is_not_taken_for_one(tmp_path) -> None:
    """As in the table of 130 US hospitals, where the guesses were race and an earlier result."""
    rows = [
        f"{900 + i},{i},{'AB'[i % 2]},{i % 3},{i % 5},{'xy'[i % 2]},{i % 2},{'pq'[i % 2]}"
        for i in range(20)
    ]
    header = (
        "encounter_id,patient_nbr,race,prior_stroke,time_in_hospital,A1Cresult,readmitted,payer"
    )
    text = "\n".join([header, *rows]) + "\n"
    with pytest.raises(UserError, match=r"no column looks like a treatment .* with --treatment"):
        plan(tmp_path, text)
    project = plan(tmp_path, text, treatments=("race",))
    roles = project.roles
    assert roles is not None
    assert (roles.subject, roles.outcome, roles.goal, roles.time) == (
        *("patient_nbr", "readmitted", "0"),
        None,
    )
    assert [c.name for c in roles.covariates] == ["prior_stroke", "time_in_hospital", "payer"]
    assert '"encounter_id" is not read: it looks like the number' in project.files["mapping.toml"]


def test_numbers_need_a_goal_and_a_unit_only_where_there_is_one(tmp_path) -> None:
    rows = [f"{i},2020-03-01,{'ab'[i % 2]},{i},{100 + i}" for i in range(20)]
    text = "\n".join(["pid,start_date,drug,age,score_after", *rows]) + "\n"
    project = plan(tmp_path, text, goal=">=110", days="30", randomised=True)
    study = study_of(project)
    assert study.outcome.within_days == 30
    wanted = "Which drug is best, judged by score after, for the patients of this table."
    assert study.purpose == wanted, "without goal and window, which a user edits at their own place"
    assert "at_least = 110.0 }\n" in project.files["study.toml"]
    assert study.assignment.randomised
    assert [t.name for t in study.formulary.treatments] == ["a", "b"]
    guess = plan(tmp_path, text).files["study.toml"]
    assert "at_most = 109.5 }  # CHECK: guessed; --goal states it" in guess


def test_a_dose_question_has_the_doses_of_each_option(tmp_path) -> None:
    project = plan_project(Request(tmp_path / "p", question="dose"), patients=50)
    doses = [treatment.dose for treatment in study_of(project).formulary.treatments]
    assert [(d.low, d.high, d.unit) for d in doses if d] == [(5, 40, "mg")] * 2
    assert "--method $(METHOD)" in project.files["Makefile"]
    assert "METHOD ?= dose_boosting" in project.files["Makefile"]


@pytest.mark.parametrize(("goal", "method"), [("1", "effects_and_doses"), (">=1", "dose_boosting")])
def test_doses_are_learned_by_a_method_for_such_an_outcome(tmp_path, goal, method) -> None:
    """Once a study of a yes or no ended in an AssertionError at `make model`."""
    rng = np.random.default_rng(0)
    values = 2 if goal == "1" else 9
    rows = [
        f"{i},{40 + i % 40},{'ab'[i % 2]},{5 * 2 ** rng.integers(4)},{rng.integers(values)}"
        for i in range(400)
    ]
    text = "\n".join(["pid,age,drug,dose_mg,outcome", *rows])
    project = plan(tmp_path, text, question="dose", outcome="outcome", goal=goal)
    assert f"METHOD ?= {method}" in project.files["Makefile"]
    project.write()
    ingest({"table": project.folder / "mapping.toml"}, project.folder / "events")
    cohort = read_cohort(project.folder / "study.toml", project.folder / "events")
    policy = fit(cohort, method, evidence_decisions=0, progress=no_progress).policy
    every = np.ones((len(cohort), 2), dtype=bool)
    doses = policy.predict_doses(cohort.history, cohort.last_step, every).by_treatment
    assert ((doses >= 5) & (doses <= 40)).all()


def test_numbers_below_a_limit_and_small_ones_are_typical_too(tmp_path) -> None:
    rows = [f"{i},{'ab'[i % 2]},<{i},<{i + 20}" for i in range(41)]
    text = "\n".join(["id,trt,hs_crp,y", *rows])
    project = plan(tmp_path, text, outcome="y", treatments=("trt",))
    assert study_of(project).outcome.range.at_most == 40.0
    assert json.loads(project.files["patient.json"])["facts"]["BASELINE//hs_crp"] == 20.0
    small = text.replace("<", "0.000")
    project = plan(tmp_path, small, outcome="y", treatments=("trt",))
    assert json.loads(project.files["patient.json"])["facts"]["BASELINE//hs_crp"] == 0.00027


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sbp_mmHg", "sbp, mmHg"),
        ("Kreatinin mg/dl", "Kreatinin, mg/dl"),  # its unit once stood twice on a page
        ("hb_g_dl", "hb, g/dl"),
        ("hb_g_l", "hb, g/l"),
        ("Gewicht in kg", "Gewicht, kg"),
        ("weight, kg", "weight, kg"),
        ("HbA1c (%)", "HbA1c, %"),
        ("time to event", "time to event"),
    ],
)
def test_the_unit_in_a_name_stands_after_a_comma(name: str, words: str) -> None:
    assert label(Column(name, "number", unit=unit_in_name(name))) == words


def test_numbers_and_words_that_may_be_slips_are_marked(tmp_path) -> None:
    rows = [f"{i},{'ab'[i % 2]},{50 + i},{'mf'[i % 2]},{i % 5},{i}" for i in range(40)]
    rows[3], rows[4] = "3,b,999,f,3,3", "4,a,-3,M,4,4"
    project = plan(tmp_path, "\n".join(["id,drug,age,sex,grade,out_result", *rows]))
    marks = [line for line in project.files["mapping.toml"].split("\n") if "# CHECK: " in line]
    assert marks[-2:] == [
        "# CHECK: numbers from -3 to 999, half of them from 60.25 to 80.75. Is one a slip?",
        '# CHECK: "M" and "m" are read as different values.',
    ]


def test_several_rows_of_a_patient_are_refused(tmp_path) -> None:
    with pytest.raises(UserError) as error:
        plan(tmp_path, "pid,drug,out_result\n1,a,3\n1,b,4\n2,a,3\n")
    assert str(error.value) == (
        f"{tmp_path / 'table.csv'}: 1 of 2 patients have several rows (pid '1': 2); this command "
        "writes projects of one row a patient. Where these are slips, mend the table; of visits, "
        "begin with `posology ingest --suggest` and docs/longitudinal-study.md; or name another "
        "column with --subject."
    )
    rows = [f"{i},{'ab'[i % 2]},{50 + i},{i}" for i in range(20)]
    plan(tmp_path, "\n".join(["pid,drug,age,out_result", *rows, rows[3]]))  # merged at ingest


def test_records_keep_the_codes_that_are_stated_and_mark_the_others(tmp_path) -> None:
    request = Request(tmp_path / "p", "fhir", tmp_path, treatments=("DRUG//A", "DRUG//B"))
    text = plan_project(request).files["study.toml"]
    study = parse_study(text, "study.toml")
    assert [t.codes for t in study.formulary.treatments] == [("DRUG//A",), ("DRUG//B",)]
    assert "# CHECK: an example; write the code of the outcome" in text
    assert f"--fhir {tmp_path}" in plan_project(request).files["Makefile"]


def test_records_without_a_path_are_simulated(tmp_path) -> None:
    files = plan_project(Request(tmp_path / "p", "omop")).files
    assert "simulate clinic --out records --patients 2000 --formats omop" in files["Makefile"]
    assert parse_study(files["study.toml"], "study.toml").name == "clinic"
    assert "records/" in files[".gitignore"].splitlines()


def test_columns_without_the_numbers_that_are_wanted(tmp_path) -> None:
    rows = [
        f"{i},{'ab'[i % 2]},{-1 if i % 2 else 5 + i},word {i},{i % 3 == 0:d}" for i in range(40)
    ]
    alone = "\n".join(["id,trt,dose,seen,outcome", *rows])
    with pytest.raises(UserError, match="no column is a fact of the patients at entry, such as"):
        plan(tmp_path, alone, question="dose", dose="dose", treatments=("trt",))
    text = "\n".join(f"{row},{39 + i if i else 'age'}" for i, row in enumerate(alone.split("\n")))
    project = plan(tmp_path, text, question="dose", dose="dose", treatments=("trt",))
    assert [t.dose is None for t in study_of(project).formulary.treatments] == [False, True]
    with pytest.raises(UserError, match=r"--days seen: the column has no numbers; .* --days 365"):
        plan(tmp_path, text, days="seen", treatments=("trt",))


def test_an_ugly_table_of_a_trial_is_understood(tmp_path) -> None:
    """Spellings of an arm, -99 for nothing, a later visit's date, remarks in the last column."""
    rows = [
        f"E{i},{'mw'[i % 2]},{1 + i % 28}.02.2011,{('Empa', 'Glim')[i % 2]},{70 + i % 9},"
        f"{i % 4 - 2},{1 + i % 28}.02.2012,{60 + i % 7},{('', 'siehe Akte', 'verzogen')[i % 3]}"
        for i in range(40)
    ]
    rows[4], rows[7] = rows[4].replace("Empa,74", "empa,-99"), rows[7].replace("Glim", "GLIM")
    head = (
        "Pat,Geschlecht,Randomisierung,Therapie,Gewicht,Basenexzess,Visite Wo. 52,HbA1c,Bemerkung"
    )
    project = plan(tmp_path, "\n".join([head, *rows]))
    roles, mapping = project.roles, project.files["mapping.toml"]
    assert roles is not None
    assert (roles.entry, roles.arms, roles.outcome) == ("Randomisierung", ("Empa", "Glim"), "HbA1c")
    assert 'missing = ["-99"]  # CHECK: such cells are read as empty' in mapping
    assert '"Bemerkung" is not read: it looks like free text' in mapping
    study = project.files["study.toml"]
    assert (
        '# CHECK: "Empa" and "empa" are read as one option.\n[[treatments]]\nname = "empa"\n'
        'title = "Empa"\ncodes = ["ARM//Therapie//Empa", "ARM//Therapie//empa"]\n'
    ) in study
    assert '"SEX//m" = "male"\n"SEX//w" = "female"\n' in study
    assert [option.name for option in study_of(project).formulary.treatments] == ["empa", "glim"]


def test_a_measurement_again_is_the_outcome_and_no_fact_at_entry(tmp_path) -> None:
    rows = [f"{i},{'ab'[i % 2]},{7 + i % 3},{6 + i % 4},{6 + i % 5},{i % 2}" for i in range(40)]
    table = "\n".join(["id,drug,HbA1c_0 (%),HbA1c_26 (%),HbA1c_52 (%),hypoglycaemia", *rows])
    project = plan(tmp_path, table)
    assert project.roles is not None
    assert project.roles.outcome == "HbA1c_26 (%)"
    known = [column.name for column in project.roles.covariates]
    assert known == ["HbA1c_0 (%)", "hypoglycaemia"]
    assert '"HbA1c_52 (%)" is not read: it may be known only after' in project.files["mapping.toml"]
    stated = plan(tmp_path, table, outcome="hypoglycaemia").roles
    assert stated is not None
    assert stated.goal == "0"


@pytest.mark.parametrize(
    ("names", "later"),
    [
        (("hb_0", "hb_12", "crp_12"), {"hb_12"}),
        (("SBP w0", "SBP w12"), {"SBP w12"}),
        (("Hb Wo. 0", "Hb Wo. 52"), {"Hb Wo. 52"}),
        (("nodes_1", "nodes_2", "cd40", "cd420"), set()),
    ],
)
def test_only_what_was_measured_at_0_is_measured_again(names, later) -> None:
    assert measured_again(names) == later


def test_doses_of_all_spellings_of_an_option_count(tmp_path) -> None:
    rows = [
        f"{i},{('a', 'A', 'b')[i % 3]},{(5, 50, 9 + i % 2)[i % 3]},{i % 7},{i}" for i in range(60)
    ]
    table = "\n".join(["id,drug,dose_mg,grade,out_result", *rows])
    study = plan(tmp_path, table, question="dose").files["study.toml"]
    assert "at_least = 5.0, at_most = 50.0" in study
