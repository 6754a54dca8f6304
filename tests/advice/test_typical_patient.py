"""A typical patient has what most had; of facts that add up, no single one need be typical."""

import datetime

import numpy as np

from posology.advice.form.field import Field, Form
from posology.advice.form.training_facts import TrainingFacts
from posology.advice.typical_patient import typical_facts
from posology.domain.profile import Profile

CODES = ("MEDICINE//aspirin", "MEDICINE//statin", "MEDICINE//digoxin", "SEX//male", "SEX//female")
SHARE = (0.3, 0.3, 0.2, 0.45, 0.4)


def test_a_list_of_medicines_is_not_typical_because_most_take_some() -> None:
    """Else the patient takes the most common one, which another fact says that most do not take."""
    profile = Profile(CODES, np.zeros(5, np.float32), np.ones(5, np.float32))
    unknown = (0.0,) * 5
    facts = TrainingFacts(unknown, unknown, (None,) * 5, (None,) * 5, (None,) * 5, share=SHARE)
    medicines = tuple((name.rpartition("//")[2], name) for name in CODES[:3])
    sexes = tuple((name.rpartition("//")[2], name) for name in CODES[3:])
    fields = (
        Field("medicine", "MEDICINE", "choice", medicines, several=True),
        Field("sex", "SEX", "choice", sexes),
    )
    form = Form("made up", fields, frozenset(CODES), ("MEDICINE", "SEX"))
    day = datetime.date(2026, 11, 29)
    assert typical_facts(form, profile, facts, day) == {"sex": "male"}
