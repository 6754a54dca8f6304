"""What a knowledge pack may be: every refusal names file, rule, field, value and the mend."""

import json
from pathlib import Path
from typing import Any

import pytest

from posology.cohorts.study.packs.read import read_pack
from posology.cohorts.study.reader import shipped_study_path
from posology.errors import StudyError
from tests.builders.safety_packs import DOSES, pack, rule, study_with, write


def test_a_sealed_pack_is_read_and_a_changed_one_refused(tmp_path: Path) -> None:
    path = write(pack(), tmp_path)
    assert read_pack(path).rules[0].name == "b-kidney"
    changed = path.read_text().replace('"below": 30', '"below": 3')
    path.write_text(changed)
    with pytest.raises(StudyError, match=r"pack\.json: `sha256` is .*posology safety seal pack"):
        read_pack(path)
    path.write_text(json.dumps(pack()))
    with pytest.raises(StudyError, match=r"`sha256` is missing, but the content has \w{12}\.\.\."):
        read_pack(path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (pack(licence=None), "pack.json: needs the key `licence`."),
        (
            pack(license="MIT", licence=None),
            "pack.json: key `license` is unknown; did you mean `licence`?",
        ),
        (
            pack(expires="2025-01-01"),
            "`expires` is 2025-01-01, before its `date`, 2026-01-01; correct",
        ),
        (pack(date="soon"), "`date` is 'soon': input should be a valid date"),
        (pack(rule(), rule()), "two rules are called b-kidney; rename one."),
        (pack(rule(sauce="x")), "rule b-kidney: key `sauce` is unknown; did you mean `source`?"),
        (pack(rule(source=None)), "rule b-kidney: needs the key `source`."),
        (
            pack(rule(effect="forbids")),
            "rule b-kidney: `effect` is 'forbids': input should be 'forbid'",
        ),
        (pack(rule(drugs=["drug C"])), "rule b-kidney: `drugs` `drug C` is unknown; did you mean"),
        (
            pack(rule(any_of=[{"fact": "kidney"}])),
            "rule b-kidney: `any_of`: `fact` `kidney` is unknown",
        ),
        (pack(rule(any_of=[{"fact": "age"}])), "fact age is an age; give a bound in years."),
        (pack(rule(any_of=[{"drug": "drug A", "below": 3}])), "drug drug A has no number; remove"),
        (pack(rule(any_of=[{}])), "rule b-kidney: `any_of`: give `fact` or `drug`, and not both."),
        (
            pack(rule(any_of=[{"fact": "heart failure", "below": 3}])),
            "fact heart failure is compared with a number but has no `unit`; state its UCUM unit",
        ),
        (
            pack(rule(any_of=[{"fact": "kidney function", "above": 9, "below": 3}])),
            "fact kidney function: 9, 3 is no range; give one lower bound",
        ),
        (pack(rule(any_of=None)), "rule b-kidney: needs `any_of` or `all_of`, the conditions on"),
        (pack(rule(effect="limit")), "`effect` is 'limit' without `dose`; a rule has a `dose` if"),
        (
            pack(rule(dose={"at_most": 3, "unit": "mg/d"})),
            "`effect` is 'forbid' with `dose`; a rule has a `dose` if, and only if, its effect",
        ),
        (
            pack(rule(effect="limit", dose={"at_most": 3, "at_least": 5, "unit": "mg/d"})),
            "rule b-kidney: `dose`: 5 to 3 is empty; swap `at_least` and `at_most`.",
        ),
        (pack(facts={"x": {}}, drugs={"drug B": ["B"]}), "rule b-kidney: `any_of`: `fact` `kidney"),
    ],
)
def test_what_is_no_pack_is_refused(tmp_path: Path, body: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError) as caught:
        read_pack(write(body, tmp_path))
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "pack.json"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "is not a JSON object; a safety pack starts with {."),
        ('{"rules": 1, "rules": 2}', "the key 'rules' is there twice; keep one"),
    ],
)
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pack.json").write_text(text)
    with pytest.raises(StudyError) as caught:
        read_pack(tmp_path / "pack.json")
    assert message in str(caught.value)
    with pytest.raises(StudyError, match=r"none\.json: cannot be read as a safety pack"):
        read_pack(tmp_path / "none.json")


LIMIT = rule(effect="limit", dose={"at_most": 3, "unit": "g/d"})


@pytest.mark.parametrize(
    ("bodies", "table", "changes", "message"),
    [
        ((pack(), pack()), "", (), "[safety_packs] two packs are called made-up; keep one."),
        (
            (pack(),),
            'drugs = { A = ["c"] }',
            (),
            "[safety_packs] option `c` is unknown; known: a, b.",
        ),
        ((pack(),), 'on_unknown = "stop"', (), "`on_unknown` is 'stop': input should be 'warn' or"),
        (
            (pack(LIMIT),),
            "",
            DOSES,
            "the study's option b has doses in mg/d; write the limit in mg/d",
        ),
        (
            (pack(LIMIT),),
            "",
            (),
            "option b has no dose; give treatment b a `dose` in the study file",
        ),
        (
            (pack(date="2020-01-01", expires="2021-01-01"),),
            'on_expired = "refuse"',
            (),
            'pack made-up 1 expired on 2021-01-01, and `on_expired` is "refuse"; review it',
        ),
    ],
)
def test_what_a_study_cannot_use_is_refused(
    tmp_path: Path, bodies: Any, table: str, changes: Any, message: str
) -> None:
    with pytest.raises(StudyError) as caught:
        study_with(tmp_path, *bodies, table=table, changes=changes)
    assert message in str(caught.value)


def test_a_study_keeps_the_rules_of_its_options_and_their_version(tmp_path: Path) -> None:
    other = rule(name="other", drugs=["another A"])
    only_b = [("DRUG//A", "DRUG//C")]
    spec = study_with(tmp_path, pack(rule(), other), changes=tuple(only_b)).safety_packs
    assert [(r.name, r.options, r.pack, r.version) for r in spec.rules] == [
        ("b-kidney", ("b",), "made-up", "1")
    ]
    assert spec.packs[0].licence == "CC0-1.0"
    assert len(spec.packs[0].sha256) == 64


def test_options_without_codes_are_drugs_by_the_study_file(tmp_path: Path) -> None:
    study = study_with(tmp_path, pack(), table='drugs = { "drug B" = ["a", "b"] }')
    assert study.safety_packs.rules[0].options == ("a", "b")


def test_a_combination_of_both_drugs_is_an_interaction_by_itself(tmp_path: Path) -> None:
    both = '[[treatments]]\nname = "ab"\ntitle = "both"\ntogether = ["a", "b"]\n[given]'
    taken = rule(kind="interaction", any_of=[{"drug": "drug A"}])
    rules = study_with(tmp_path, pack(taken), changes=(("[given]", both),)).safety_packs.rules
    assert [(r.options, len(r.any_of)) for r in rules] == [(("b",), 1), (("ab",), 0)]


def test_the_example_is_a_sealed_pack() -> None:
    example = shipped_study_path("clinic").with_name("type-2-diabetes.json")
    assert read_pack(example).reviewed_by == "", "nobody reviewed it: it is an example"
