"""Study files: what is right is read, what is wrong is told with its place and its mend."""

from pathlib import Path

import pytest

from posology.cohorts.study.reader import parse_study, read_study, shipped_study_path
from posology.domain.pharmacogenomics.spec import PgxSpec
from posology.errors import StudyError
from tests.builders.two_drug_records import study

TEXT = shipped_study_path("iwpc").read_text(encoding="utf-8")


def told(old: str, new: str) -> str:
    assert old in TEXT
    with pytest.raises(StudyError) as caught:
        parse_study(TEXT.replace(old, new, 1), "my.toml")
    return str(caught.value)


def test_the_shipped_study_is_read() -> None:
    study = read_study("iwpc")
    assert study.formulary.names == ("low", "medium", "high")
    low, medium, high = (t.dose for t in study.formulary.treatments)
    assert low is not None
    assert medium is not None
    assert high is not None
    assert (low.high, low.open_high) == (21.0, True)
    assert (medium.low, medium.high, medium.open_low, medium.open_high) == (
        21.0,
        49.0,
        False,
        False,
    )
    assert (high.low, high.open_low) == (49.0, True)
    assert [rule.name for rule in study.rules] == ["fixed", "clinical_formula", "pgx_formula"]
    assert study.reward.table[0] == (1.0, 0.2, -9.4)


MISTAKES = [
    (
        "minimum_patients",
        "minimun_patients",
        "[profile] key `minimun_patients` is unknown; did you mean `minimum_patients`?",
    ),
    ('codes = ["WARFARIN//START"]', "", "[decision] needs the key `codes`."),
    ('codes = ["OUTCOME//WARFARIN_DOSE"]', "codes = []", "[outcome] `codes` is []"),
    (
        "at_least = 21.0, at_most = 49.0",
        "at_least = 61.0, at_most = 49.0",
        "dose of medium: the range 61 to 49 mg/wk is impossible; the lower bound must be 0 or "
        "more and below the upper one.",
    ),
    (
        "at_least = 21.0, at_most = 49.0",
        "at_most = 49.0",
        "dose of medium: give one lower bound (at_least or above) and one upper",
    ),
    ("within_days = 365", 'within_days = "365"', "[outcome] `within_days` is '365'"),
    ("within_days = 365", "within_days = 0", "[outcome] `within_days` is 0"),
    (
        'formula = "iwpc_clinical"',
        'formula = "iwpc_clinicl"',
        "formula `iwpc_clinicl` is unknown; did you mean `iwpc_clinical`?",
    ),
    ('which = "first"', 'which = "last"', "[decision] `which` is 'last'"),
    ("test = 0.15", "test = 0.25", "[split] train, validation and test sum to 1.1; make it 1."),
    ("[split]", "[spilt]", "key `spilt` is unknown; did you mean `split`?"),
    ("medium = 0.2\nhigh = -9.4", "medium = 0.2", "[reward.right_low] must give a number for low"),
    ('name = "medium"', 'name = "low"', "two treatments share a name"),
    ("format = 1", "format = 2", "`format` is 2"),
    ("dose = 35.0", "", "rule fixed: a fixed rule needs `dose` and `source`."),
    ("[decision]", "[decision", "not valid TOML"),
    (
        'required_for_advice = ["AGE_DECADE", "WEIGHT"]',
        'required_for_advice = ["HIGHT"]',
        "[profile] required_for_advice `HIGHT` is unknown; did you mean `HEIGHT`?",
    ),
    (
        'may_be_unknown = ["AGE_DECADE", "WEIGHT"]',
        'may_be_unknown = ["WIEGHT"]',
        "[profile] may_be_unknown `WIEGHT` is unknown; did you mean `WEIGHT`?",
    ),
    ("min_age = 18", "min_age = 18\nmax_age = 12", "[advice] `min_age` is 18 and `max_age` is 12"),
    ("[advice]", "[advice]\nneeded_alike = 4", "[advice] `needed_alike` is 4"),
    ("[advice]", "[advice]\noutside_share = 1.0", "[advice] `outside_share` is 1.0"),
    (
        "[advice]",
        "[advice]\nneeded_like = 20",
        "[advice] key `needed_like` is unknown; did you mean `needed_alike`?",
    ),
    (
        "at_least = 100.0, at_most = 250.0",
        "at_least = 250.0, at_most = 100.0",
        "[profile] limits: 250 to 100 is empty; swap at_least and at_most.",
    ),
    (
        '"AGE_DECADE" = "age, decades"',
        '"AGE_DECADE" = "AGE//DECADE"',
        "[names] `AGE_DECADE` is 'AGE//DECADE', a code; give it in words.",
    ),
    (
        'codes = ["OUTCOME//WARFARIN_DOSE"]\nunit = "mg/wk"\n',
        'codes = ["OUTCOME//WARFARIN_DOSE"]\n',
        "[outcome] kind dose_class needs the key `unit`, that of its number.",
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), MISTAKES)
def test_an_error_names_its_place_and_the_correction(old: str, new: str, expected: str) -> None:
    message = told(old, new)
    assert message.startswith("my.toml")
    assert expected in message


def test_an_empty_file_is_called_empty() -> None:
    with pytest.raises(StudyError, match=r"^my.toml: is empty; `posology new` writes a study"):
        parse_study(" \n", "my.toml")


def test_an_error_names_its_line() -> None:
    message = told("minimum_patients", "minimun_patients")
    line = TEXT.splitlines().index("minimum_patients = 5") + 1
    assert message.startswith(f"my.toml:{line}: ")


def test_an_event_and_the_time_to_it_need_no_unit() -> None:
    for kind, unit in (("occurs", ""), ("time_to_event", "d")):
        changes = (('kind = "value_in_range"', f'kind = "{kind}"'), ('unit = "mmol/L"\n', ""))
        assert study(*changes, ("range = { at_most = 5.0 }\n", "")).outcome.unit == unit


def test_a_missing_file_names_itself(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="neither a file nor a study that ships"):
        read_study("no-such-study")
    with pytest.raises(StudyError, match=r"gone.toml: no such study file; check the path\."):
        read_study(tmp_path / "gone.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(StudyError, match="cannot be read as a study file"):
        read_study(tmp_path / "bytes.toml")


CLINIC = shipped_study_path("clinic").read_text(encoding="utf-8")
MORE = [
    (
        'which = "every"',
        'which = "interval"',
        '[decision] which = "interval" needs `every_days`.',
    ),
    (
        'which = "every"',
        'which = "first"\nevery_days = 9',
        '[decision] `every_days` has no meaning where which = "first"; remove it.',
    ),
    ("grace_days", "grace_day", "[given] key `grace_day` is unknown; did you mean `grace_days`?"),
    (
        'dose_per = "day"',
        'dose_per = "each"',
        '[given] `dose_days` goes with dose_per = "each", and only with it.',
    ),
    (
        "range = { at_most = 53.0 }",
        "",
        "[outcome] kind value_in_range needs the table `range`.",
    ),
    (
        "range = { at_most = 53.0 }",
        "range = { at_least = 60.0, at_most = 53.0 }",
        "[outcome] range: 60 to 53 is empty; swap at_least and at_most.",
    ),
    (
        "from_days = 135",
        "from_days = 335",
        "[outcome] the window from 335 to 285 days is empty; `from_days` must be below",
    ),
    (
        'kind = "value_in_range"',
        'kind = "occurs"',
        "[outcome] kind occurs has no use for `range`; remove it.",
    ),
    ("discount = 0.0", "discount = 1.5", "[reward] `discount` is 1.5; it lies in 0 to 1."),
    ("discount = 0.0", "discont = 1.0", "key `discont` is unknown; did you mean `discount`?"),
    (
        'options = ["tzd"]',
        'options = ["tdz"]',
        "[[safety]] option `tdz` is unknown; did you mean `tzd`?",
    ),
    (
        'visible = ["CONDITION//SNOMED//84114007"]\nsource',
        "source",
        "[[safety]] of tzd needs `visible` or `ranges`.",
    ),
    (
        'prefer = ["glp1", "dpp4"',
        'prefer = ["glp1", "dpp"',
        "rule rule: prefer option `dpp` is unknown; did you mean `dpp4`?",
    ),
    (
        '[[rules.order]]\nprefer = ["sglt2", "glp1", "dpp4", "tzd", "su"]',
        "",
        "rule rule: the last line of `order` must have no condition.",
    ),
    (
        'codes = ["DRUG_PER_DAY//RXNORM//33738", "DRUG//RXNORM//33738"]',
        'together = ["su"]',
        "treatment tzd: `together` names two or more other options.",
    ),
    (
        'codes = ["DRUG_PER_DAY//RXNORM//33738", "DRUG//RXNORM//33738"]',
        "",
        "treatment tzd needs `codes`, `together` or `otherwise`: without one of them its use",
    ),
    (
        'salt = "clinic"',
        'salt = "clinic"\nby = "time"',
        "[split] by time needs `validation_from` and `test_from`.",
    ),
    (
        'salt = "clinic"\nsite = ["OBSERVATION//CLINIC//site"]',
        'salt = "clinic"\nby = "site"',
        "[split] by site needs `site`, the codes whose number is the site.",
    ),
    ("within_days = 365", "within_days = -1", "[[diagnosis]] number 1: `within_days` is -1"),
    (
        "[[safety]]",
        '[reference]\noption = "metformin"\n\n[[safety]]',
        "[reference] option `metformin` is unknown; known: dpp4, glp1, sglt2, su, tzd.",
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), MORE)
def test_errors_of_sequential_decisions_name_their_place(old: str, new: str, expected: str) -> None:
    assert old in CLINIC
    with pytest.raises(StudyError) as caught:
        parse_study(CLINIC.replace(old, new, 1), "my.toml")
    assert str(caught.value).startswith("my.toml")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("discount = 0.0", "discount = 1.5", "discount = 1.5"),
        ("from_days = 135", "from_days = 335", "from_days = 335"),
        ("range = { at_most = 53.0 }", "", "[outcome]"),
        (
            'codes = ["DRUG_PER_DAY//RXNORM//33738", "DRUG//RXNORM//33738"]',
            'together = ["su"]',
            'together = ["su"]',
        ),
    ],
)
def test_the_line_of_an_impossible_value_is_named(old: str, new: str, line: str) -> None:
    text = CLINIC.replace(old, new, 1)
    with pytest.raises(StudyError) as caught:
        parse_study(text, "my.toml")
    assert str(caught.value).startswith(f"my.toml:{text.splitlines().index(line) + 1}: ")


def test_a_folder_with_a_studys_name_does_not_hide_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clinic").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read_study("clinic").name == "clinic"


def test_the_reference_is_an_option_or_usual_care() -> None:
    assert parse_study(CLINIC, "my.toml").reference is None
    text = CLINIC.replace("[[safety]]", '[reference]\noption = "su"\n\n[[safety]]', 1)
    assert parse_study(text, "my.toml").reference == "su"


def test_the_folder_of_pharmacogenomic_tables_lies_beside_the_study_file(tmp_path: Path) -> None:
    table = '[pharmacogenomics]\ntables = "tables"\npopulation = "adults"\n\n[profile]'
    text, where = TEXT.replace("[profile]", table, 1), str(tmp_path / "my.toml")
    with pytest.raises(StudyError, match=r"\[pharmacogenomics\] `tables` is 'tables': there is no"):
        parse_study(text, where)
    (tmp_path / "tables").mkdir()
    assert parse_study(text, where).pharmacogenomics == PgxSpec(str(tmp_path / "tables"), "adults")
    assert parse_study(TEXT, where).pharmacogenomics is None
