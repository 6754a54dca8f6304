"""Learn what the labels of a MEDS task say, and predict it of other patients.

The moment of a label is a decision of a study in which every patient gets the same option, and the
label is whether it was effective. So every learner of outcomes learns labels.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Float64, Int64
from meds.schema import train_split, tuning_split

from posology import artifact
from posology.cohorts.build import build_cohort, encode_cohort
from posology.cohorts.events.chunks import event_files, read_event_table
from posology.cohorts.study.reader import parse_study
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Policy
from posology.domain.study import PERIOD_END, PERIOD_START, Study
from posology.errors import UserError
from posology.learners.methods import build_learner
from posology.records.io.drafts import draft_file
from posology.records.meds_dataset import read_codes
from posology.workflows.exchange.label_files import SUBJECT, TIME, VALUE, LabelTask, read_task
from posology.workflows.progress import Progress, no_progress
from posology.workflows.results import Row

_FAMILY = "POSOLOGY"
MOMENT = f"{_FAMILY}//LABEL"
"""Code of the event that marks the moment of a label; no feature."""
PROBABILITY, PREDICTED = "predicted_boolean_probability", "predicted_boolean_value"
"""Columns of predictions, as meds-evaluation names them."""
_STUDY = """
format = 1
name = "labels"
title = "Labels of a MEDS task"
purpose = "Predict what a label says of a patient at a moment. No treatment is compared."
limits = "A prediction task: nothing in it says what to do."
[decision]
codes = ["{moment}"]
which = "every"
[[treatments]]
name = "labelled"
title = "the moment of a label"
codes = ["{moment}"]
[[treatments]]
name = "other"
title = "any other moment"
otherwise = true
[outcome]
kind = "occurs"
codes = ["{moment}"]
within_days = 1
[follow_up]
until = 2262-01-01
[reward]
source = "1 where the label is true"
effective = 1.0
discount = 0.0
[profile]
families = {families}
[split]
train = 0.7
validation = 0.15
test = 0.15
salt = "the split comes with the records"
"""


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """The labels that were learned or predicted."""

    labels: int
    true: int
    patients: int
    without_moment: int
    """Labels at a moment that the records make no decision of; predicted at the mean."""

    @property
    def rows(self) -> list[Row]:
        """One row a count."""
        return [{"metric": name, "value": value} for name, value in asdict(self).items()]

    def summary(self) -> str:
        """The counts as a sentence."""
        text = f"{self.labels:,} labels of {self.patients:,} patients, {self.true:,} of them true"
        if self.without_moment:
            text += f"; {self.without_moment:,} at a moment that the records make nothing of"
        return f"{text}."


def fit_labels(
    task: LabelTask, out: Path, method: str, seed: int, progress: Progress = no_progress
) -> LabelCounts:
    """Learn the labels of the train split, with those of the tuning split as validation.

    Args:
        task: the records and the labels.
        out: a new folder for the model.
        method: a name in `learners.methods.METHODS`.
        seed: of everything that is drawn at random.
        progress: called with each step.
    """
    learner = build_learner(method, seed)
    progress("reading labels and events")
    table, split = read_task(task, (train_split, tuning_split))
    cohort, row = _labelled_cohort(task.dataset, table, split)
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    for part, name in ((train, train_split), (validation, tuning_split)):
        if len(np.unique(part.effective)) < 2:
            raise UserError(
                f"{task.labels}: the {len(part):,} labels of {name} patients are not of both "
                "kinds; true and false ones of both splits are needed."
            )
    progress(f"learning from {len(cohort):,} labels: {method}")
    policy = learner.fit(train, validation)
    artifact.save(policy, cohort.study, {"method": method, "seed": seed}, out)
    return _count(table, row)


def predict_labels(
    model: Path, task: LabelTask, split: str, out: Path, progress: Progress = no_progress
) -> LabelCounts:
    """Predict the labels of one split and write them as meds-evaluation reads them.

    What a label says is copied beside its prediction and has no part in it.

    Args:
        model: a folder that `fit_labels` wrote.
        task: the records and the labels.
        split: MEDS's name: train, tuning or held_out.
        out: a Parquet file.
        progress: called with each step.
    """
    loaded = artifact.load(model)
    if MOMENT not in loaded.study.decision.codes:
        raise UserError(
            f"{model}: is a policy of study {loaded.study.name}, not a model of labels, which "
            "`posology labels fit` makes."
        )
    progress("reading labels and events")
    table, _ = read_task(task, (split,))
    events = _mark_moments(task.dataset, table)
    cohort = encode_cohort(events, loaded.study, loaded.policy.profile)
    row = _decision_of_label(cohort, table)
    progress(f"predicting {len(table):,} labels")
    p = _probability(loaded.policy, cohort)
    found = np.where(row >= 0, p[row], p.mean())
    table = table.append_column(PROBABILITY, pa.array(found))
    table = table.append_column(PREDICTED, pa.array(found > 0.5))
    with draft_file(out) as draft:
        pq.write_table(table, draft)
    return _count(table, row)


def _labelled_cohort(
    dataset: Path, table: pa.Table, split: Mapping[int, str]
) -> tuple[Cohort, Int64[np.ndarray, " label"]]:
    """The cohort of the labels' moments with the labels as outcomes, and each label's decision."""
    events = _mark_moments(dataset, table)
    codes = pc.unique(events["code"]).to_pylist()
    families = sorted({code.partition("//")[0] for code in codes} - {_FAMILY})
    if not families:
        raise UserError(f"{dataset}: has no event of a patient with a label.")
    study = _study(families)
    ours = {"train": TRAIN, "validation": VALIDATION}
    of = {subject: ours[split[subject]] for subject in pc.unique(table[SUBJECT]).to_pylist()}
    cohort = build_cohort(events, study, of, descriptions=read_codes(dataset))
    row = _decision_of_label(cohort, table)
    value = np.full(len(cohort), np.nan, np.float32)
    value[row[row >= 0]] = table[VALUE].to_numpy(zero_copy_only=False)[row >= 0]
    known = ~np.isnan(value)
    weight = known.astype(np.float32)
    labelled = replace(
        cohort,
        effective=value,
        outcome=value,
        reward=value,
        outcome_observed=known,
        censoring_weight=weight,
        reward_weight=weight,
    )
    return labelled, row


def _study(families: list[str]) -> Study:
    text = _STUDY.format(moment=MOMENT, families=json.dumps(families))
    return parse_study(text, "the study of labels")


def _mark_moments(dataset: Path, table: pa.Table) -> pa.Table:
    """The events of the patients with labels, and one event at the moment of each label.

    Observation periods are left out: a label may be of a moment outside of them.
    """
    events = read_event_table(event_files(dataset))
    has_label = pc.is_in(events["subject_id"], pc.unique(table[SUBJECT]))
    is_period = pc.is_in(events["code"], pa.array([PERIOD_START, PERIOD_END]))
    events = events.filter(pc.and_(has_label, pc.invert(is_period)))
    code = pa.array([MOMENT] * len(table), pa.string())
    known = {"subject_id": table[SUBJECT], "time": table[TIME], "code": code}
    columns = [
        known[f.name].cast(f.type) if f.name in known else pa.nulls(len(table), f.type)
        for f in events.schema
    ]
    return pa.concat_tables([events, pa.table(columns, schema=events.schema)])


def _decision_of_label(cohort: Cohort, table: pa.Table) -> Int64[np.ndarray, " label"]:
    """Each label's decision; -1 where the records make none, as after death."""
    assert cohort.time is not None
    days = table[TIME].cast(pa.int64()).to_numpy() / 86_400_000_000
    moment = _moments(cohort.history.subject_id[cohort.subject], cohort.time)
    row = {at: number for number, at in enumerate(moment)}
    found = [row.get(at, -1) for at in _moments(table[SUBJECT].to_numpy(), days)]
    return np.array(found, dtype=np.int64)


def _moments(subject: np.ndarray, days: np.ndarray) -> list[tuple[int, int]]:
    """Subject and millisecond: days as a float tell no microseconds apart."""
    milliseconds = np.round(days * 86_400_000).astype(np.int64)
    return list(zip(subject.tolist(), milliseconds.tolist(), strict=True))


def _probability(policy: Policy, cohort: Cohort) -> Float64[np.ndarray, " decision"]:
    allowed = np.ones((len(cohort), len(cohort.study.formulary.treatments)), dtype=bool)
    effective = policy.predict_effectiveness(cohort.history, cohort.last_step, allowed)
    return effective[:, 0].mean(axis=1)


def _count(table: pa.Table, row: Int64[np.ndarray, " label"]) -> LabelCounts:
    return LabelCounts(
        labels=len(table),
        true=int(pc.sum(table[VALUE]).as_py()),
        patients=len(pc.unique(table[SUBJECT])),
        without_moment=int((row < 0).sum()),
    )
