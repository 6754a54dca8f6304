"""Events of single patients, without the package."""

import pyarrow as pa
import pytest

from posology.datasets import iwpc_events


def _convert(**cells):
    row = dict.fromkeys(iwpc_events._columns())
    row |= {iwpc_events._STABLE: "1", iwpc_events._DOSE: "35"}
    row |= cells
    table = pa.Table.from_pylist([row], schema=pa.schema([(name, pa.string()) for name in row]))
    events, rejected = iwpc_events.convert(table)
    return events, rejected.to_pylist()


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"Height (cm)": "tall"}, "not a positive number"),
        ({"Weight (kg)": "-70"}, "not a positive number"),
        ({"Target INR": "inf"}, "not a positive number"),
        ({"Age": "about 60"}, "not a decade such as '60 - 69' or '90+'"),
        ({"Indication for Warfarin Treatment": "9"}, "not an indication from 1 to 8"),
        ({iwpc_events._RANGE: "high"}, "not a range such as '2-3'"),
        ({"Simvastatin (Zocor)": "maybe"}, "neither 1 or yes nor 0 or no"),
        ({iwpc_events._DOSE: "0"}, "not a positive number"),
        ({iwpc_events._DOSE: "a lot"}, "not a positive number"),
        ({iwpc_events._STABLE: None}, "unknown whether a stable dose was reached"),
    ],
)
def test_an_invalid_cell_is_rejected_with_row_field_and_value(cells, reason):
    events, rejected = _convert(**cells)
    column, value = next(iter(cells.items()))
    assert rejected == [
        {"source": "iwpc.pkl", "row": 1, "field": column, "value": value or "", "reason": reason}
    ]
    assert "WARFARIN//START" in events["code"].to_pylist()


def test_no_outcome_without_a_usable_dose():
    events, _ = _convert(**{iwpc_events._DOSE: "0", iwpc_events._INR: "2.5"})
    assert not any(code.startswith("OUTCOME") for code in events["code"].to_pylist())


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("No Diabetes; hypertension", {"diabetes": False, "hypertension": True}),
        ("not aspirin;not  Simvastatin ; ", {"aspirin": False, "simvastatin": False}),
        ("none", {"any": False}),
        ("No comorbidities", {"any": False}),
        ("No interacting medications", {"interacting medications": False}),
        ("not non-steroidal anti-inflammatory", {"non-steroidal anti-inflammatory": False}),
        ("Nortriptyline, aspirin", {"nortriptyline": True, "aspirin": True}),
        ("atripla (emtricitabine, efavirenz)", {"atripla (emtricitabine, efavirenz)": True}),
        ("estrogens, conjugated", {"estrogens, conjugated": True}),
        ("aspirin; not aspirin", {"aspirin": True}),
        ("", {}),
    ],
)
def test_names_in_free_text(text, names):
    assert iwpc_events.parse_list(text) == names


def test_indications_one_or_the_other_are_not_both():
    events, _ = _convert(**{"Indication for Warfarin Treatment": "1 or 2"})
    both, _ = _convert(**{"Indication for Warfarin Treatment": "1;2"})
    assert "INDICATION//1_or_2" in events["code"].to_pylist()
    assert {"INDICATION//1", "INDICATION//2"} <= set(both["code"].to_pylist())
    assert "INDICATION//1" not in events["code"].to_pylist()


@pytest.mark.parametrize(
    ("race", "snps", "answer"),
    [
        ("White", {"VKORC1 2255 consensus": "T/T"}, "A/A"),
        ("Black or African American", {"VKORC1 2255 consensus": "T/T"}, None),
        ("Unknown", {"VKORC1 1542 consensus": "C/C"}, None),
        ("Unknown", {"VKORC1 1173 consensus": "C/T"}, "A/G"),
        ("Asian", {"VKORC1 1542 consensus": "C/G", "VKORC1 1173 consensus": "T/T"}, "A/A"),
        ("White", {"VKORC1 2255 consensus": "C/T", "VKORC1 1542 consensus": "G/G"}, "G/G"),
    ],
)
def test_linked_snps_answer_by_the_consortium_s_rules(race, snps, answer):
    events, _ = _convert(**{"Race (OMB)": race}, **snps)
    found = [c for c in events["code"].to_pylist() if "rs9923231" in c]
    expected = (
        ["GENOTYPE//VKORC1_rs9923231//" + answer, "GENOTYPE_IMPUTED//VKORC1_rs9923231"]
        if answer
        else []
    )
    assert found == expected
