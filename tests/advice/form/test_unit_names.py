"""Every unit that the form names is one that it reads."""

import pytest

from posology.advice.form.unit_names import unit_words, usual_units
from posology.records.pipeline.units import DIMENSIONS, convert_number, load_codebook


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_unit_is_read_as_it_is_named(dimension: str) -> None:
    for unit in load_codebook()[dimension]:
        assert convert_number(1.0, (unit_words(unit), unit), "X") == pytest.approx(1.0), unit


def test_what_an_error_offers_is_accepted() -> None:
    offered = usual_units("cm", "HEIGHT")
    assert offered == ("m", "mm", "in", "ft")
    found = [convert_number(1.0, (unit, "cm"), "HEIGHT") for unit in (*offered, "feet")]
    assert found == pytest.approx([100.0, 0.1, 2.54, 30.48, 30.48])
