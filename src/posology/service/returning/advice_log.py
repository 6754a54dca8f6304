"""What a service recommended, for an update that must know what the model itself caused."""

from collections.abc import Mapping

import numpy as np
from sqlalchemy import Connection

from posology.domain.study import Study
from posology.lifecycle import advice_log
from posology.lifecycle.advice_log import AdviceLog
from posology.service.returning.linking import ACCEPTED_WORD, answers_by_patient, what_became
from posology.service.shadow.comparing import advised
from posology.service.store.clock import to_moment
from posology.service.work import unpack

_DAY = 86_400.0


def read_advice_log(
    connection: Connection, model: str, study: Study, keys: Mapping[int, str]
) -> AdviceLog:
    """Every recommendation about these patients that put an option first.

    Answers that were erased, and those that advised nothing, are left out. A service's answers are
    a fixed rule's: they hold no probability.

    Args:
        connection: to the store.
        model: name under which it was served.
        study: its study.
        keys: of each subject, the key of the patient in the store.
    """
    names = study.formulary.names
    answers = answers_by_patient(connection, model, sorted(keys.values()))
    became = what_became(connection, {one.id for some in answers.values() for one in some})
    rows = []
    for subject, key in keys.items():
        for one in answers.get(key, ()):
            if one.body is None:
                continue
            option = advised(unpack(one.body)["recommendation"], study).option
            if option not in names:
                continue
            status = advice_log.UNKNOWN
            if one.id in became:
                is_accepted = became[one.id] == ACCEPTED_WORD
                status = advice_log.ACCEPTED if is_accepted else advice_log.OVERRIDDEN
            days = to_moment(one.made_at).timestamp() / _DAY
            rows.append((subject, days, names.index(option), status))
    subject, time, option, accepted = (
        (np.array(c) for c in zip(*rows, strict=True)) if rows else (np.zeros(0),) * 4
    )
    return AdviceLog(
        subject_id=subject.astype(np.int64),
        time=time.astype(np.float64),
        option=option.astype(np.int64),
        accepted=accepted.astype(np.int8),
        probability=np.full(len(rows), np.nan),
    )
