"""What a person did wrong in JSON, in a person's words."""

import pytest

from posology.records.io.documents import parse_json

MISTAKES = {
    '{"age": 24,}': ": remove th",
    '{"age": [1, 2,]}': ": remove th",
    "{'age': 24}": 'column 2: names and texts stand in plain double quotes, as in "age"',
    '{"sex": \u201cmale\u201d}': "column 9: names and texts stand in plain double quotes",
    '{"age": 24': "column 11: the file ends too early: a closing } or ] is missing",
    '{"age": ': "column 9: the file ends too early: a closing } or ] is missing",
    '{"age": 24 "sex": "male"}': "column 12: a comma is missing before this",
    '{"weight": 0,5}': "column 14: write a number with a point, as 0.5, not with a comma",
    '{"smoker": True}': "or true, false or null in small letters",
    '{"smoker": yes}': "or true, false or null in small letters",
    '{"age" 24}': "column 8: a colon is missing between a name and its value",
    '{"age": 24} x': "column 13: the first value ends before this; remove what follows it",
    '{"sex": "male}': "column 9: this text has no closing double quote",
    '{"sex": "ma\nle"}': "column 12: this text goes over the end of a line",
    '{"path": "C:\\d"}': "write \\\\ for one backslash",
    "{24: 1}": 'column 2: a name in double quotes is needed here, as in "age"',
    '{"age": ?}': "column 9: a value is needed here: a number, a text in double quotes",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_says_what_to_change(text: str) -> None:
    with pytest.raises(ValueError, match="line 1") as caught:
        parse_json(text)
    assert MISTAKES[text] in str(caught.value)
    assert "Expecting" not in str(caught.value)


def test_no_text_of_a_patient_is_repeated() -> None:
    with pytest.raises(ValueError, match="line 2, column 1: a comma is missing") as caught:
        parse_json('{"name": "Maria Kowalska"\n"age": 24}')
    assert "Maria" not in str(caught.value)
