"""Cohorts of the clinic with some information withheld from the model."""

from dataclasses import replace

import numpy as np

from posology.domain.ablation import without_codes
from posology.domain.cohort import Cohort
from posology.domain.history import History, offsets_from_counts, visible_events

FAMILIES = {
    "no genotype": ("MEASUREMENT//SNP",),
    "no lifestyle": (
        "OBSERVATION//LOINC",
        "OBSERVATION//SNOMED",
        "OBSERVATION//CLINIC//diet_score",
        "OBSERVATION//CLINIC//adherence_score",
        "OBSERVATION//CLINIC//days_covered",
    ),
    "no wearables": ("MEASUREMENT//LOINC//41950-7", "MEASUREMENT//LOINC//97507-8"),
}
COURSES = ("DRUG_PER_DAY", "CONDITION//SNOMED//62014003")
"""Earlier treatment, and that it was not tolerated."""


def without_family(cohort: Cohort, name: str) -> Cohort:
    """The cohort without the events of a family."""
    return replace(cohort, history=without_codes(cohort.history, cohort.profile, FAMILIES[name]))


def without_history(cohort: Cohort) -> Cohort:
    """Every decision alone, with the last of everything measured before it and no treatment.

    What a clinician sees who opens the file at the last page.
    """
    history, decisions = cohort.history, cohort.last_step
    owner, event = visible_events(history, decisions)
    gone = np.isin(history.code[event], list(cohort.profile.rows(COURSES)))
    owner, event = owner[~gone], event[~gone]
    step = np.searchsorted(history.event_offsets, event, side="right") - 1
    static = np.isnan(history.time[step])
    key = owner * (1 + int(history.code.max(initial=0))) + history.code[event]
    order = np.lexsort((event, key))
    last = np.append(np.diff(key[order]) > 0, True)[: len(order)]
    kept = np.zeros(len(key), dtype=bool)
    kept[order[last]] = True
    owner, event, static = owner[kept], event[kept], static[kept]
    place = 2 * owner + ~static
    order = np.argsort(place, kind="stable")
    count = len(decisions)
    time = np.full(2 * count, np.nan)
    time[1::2] = history.time[decisions]
    alone = History(
        code=history.code[event[order]],
        value=history.value[event[order]],
        event_offsets=offsets_from_counts(np.bincount(place, minlength=2 * count).astype(np.int64)),
        time=time,
        step_offsets=2 * np.arange(count + 1, dtype=np.int64),
        subject_id=history.subject_id[cohort.subject],
    )
    rows = np.arange(count, dtype=np.int64)
    return replace(cohort, history=alone, subject=rows, last_step=2 * rows + 1)
