"""Facts under a study's own codes go out as standard resources, and come back as the same facts."""

import pytest

from posology.cohorts.study.reader import read_study
from posology.service.demo.orders import with_demo_orders
from posology.service.ehr.record import resources_of
from posology.service.ehr.record_system import _orders
from posology.service.settings import Settings
from posology.workflows.patient import read_given
from tests.service.ehr.test_record import table

STANDARD = read_study("iwpc").profile.standard
FACTS = [
    ("SEX//female", None, None, None),
    ("AGE_DECADE", None, 7.0, None),
    ("HEIGHT", None, 168.0, "cm"),
    ("WEIGHT", None, 71.5, "kg"),
    ("RACE//Asian", None, None, None),
    ("GENOTYPE//CYP2C9//*1/*3", None, None, None),
    ("DRUG//amiodarone//yes", None, None, None),
    ("INDICATION//3", None, None, None),
]


@pytest.mark.parametrize(("own", "sent"), [("G/G", "C/C"), ("A/G", "C/T"), ("A/A", "T/T")])
def test_each_fact_is_sent_as_its_standard_code(own: str, sent: str) -> None:
    rows = [*FACTS, (f"GENOTYPE//VKORC1_rs9923231//{own}", None, None, None)]
    resources, left_out = resources_of("demo-01", table(rows), STANDARD)
    assert left_out == 1, "the indication has no standard code"
    given = read_given(
        {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}
    )
    assert isinstance(given, tuple)
    events, not_read = given
    assert not_read == ()
    found = {row["code"]: row["numeric_value"] for row in events.to_pylist()}
    assert found["MEASUREMENT//LOINC//29463-7"] == 71.5
    assert found["MEASUREMENT//LOINC//8302-2"] == 168.0
    codes = {"RACE//Asian", "GENOTYPE//CYP2C9//*1/*3", "DRUG//RXNORM//703//ordered", "MEDS_BIRTH"}
    assert {*codes, f"GENOTYPE//VKORC1_rs9923231//{sent}"} <= set(found)


def test_a_demonstration_of_warfarin_offers_warfarin_and_is_about_nothing_else() -> None:
    settings = with_demo_orders(Settings(models=()), {"warfarin": "iwpc", "other": "clinic"})
    codes = settings.cds_hooks.order_codes
    assert codes == {"warfarin": ("http://www.nlm.nih.gov/research/umls/rxnorm|11289",)}
    titles = [order.title for order in _orders(read_study("iwpc"), codes["warfarin"])]
    assert titles == ["warfarin", "amoxicillin, which the study is not about"]
