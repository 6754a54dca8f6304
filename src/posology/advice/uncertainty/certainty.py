"""How sure the answer for one patient is, as a clinician reads it."""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from posology.advice.form.limits import training_range
from posology.advice.form.training_facts import TrainingFacts
from posology.advice.form.unit_names import plain_unit
from posology.advice.uncertainty.alike import (
    Cell,
    OptionCount,
    PatientsAlike,
    answer,
    answers_as_text,
)
from posology.advice.uncertainty.distance import (
    Distance,
    lacking_families,
    share_less_unusual,
    unusual_codes,
)
from posology.advice.uncertainty.dose_intervals import dose_intervals
from posology.advice.uncertainty.evidence import UncertaintyEvidence
from posology.advice.uncertainty.fact_words import (
    At,
    fact_in_words,
    name_and_size,
    shared_facts,
    unusual_in_words,
)
from posology.advice.uncertainty.facts import fact_codes, read_facts
from posology.advice.uncertainty.number_pairs import oddest_pair
from posology.advice.uncertainty.option_sets import option_sets
from posology.advice.uncertainty.predictions import dose_predictions
from posology.advice.wording.fact_names import beyond_words, fact_name
from posology.domain.codes import display_name, without_system
from posology.domain.history import History
from posology.domain.profile import Profile
from posology.domain.recommendation.findings import Certainty
from posology.domain.recommendation.option import DoseAdvice
from posology.domain.recommendation.why import SimilarPatients
from posology.domain.statistics.wilson import wilson_limits
from posology.domain.study import EVENT_KINDS, Study
from posology.language.catalogue import deferred, tr

FAR = 0.05
"""Share of training's range beyond which a number is unlike it, on either side. Our choice."""
UNLIKE = deferred("is unlike the patients the model learned from.")
"""What the sentence ends with that names two numbers which do not go together."""


@dataclass(frozen=True, slots=True, eq=False)
class PatientAtHand:
    """The only patient of a history, at the last step, with the policy's study and encoding."""

    study: Study
    profile: Profile
    history: History

    @property
    def decision(self) -> np.ndarray:
        """The patient's last step."""
        return self.history.step_offsets[1:2] - 1

    @property
    def at(self) -> At:
        """The same as a tuple, with the step."""
        return self.study, self.profile, self.history, self.decision


@dataclass(frozen=True, slots=True)
class Sureness:
    """How sure the answer is, and what patients like this one were given."""

    certainty: Certainty
    similar: tuple[SimilarPatients, ...] = ()
    """One an option, in the study's order; empty if not measured."""
    given: tuple[int | None, ...] = ()
    """Patients like this one who were given each option; None: fewer than 5."""
    lacking: tuple[str, ...] = ()
    """Facts that nearly all training patients had, and whose lack alone makes this one unusual."""


def assess_certainty(
    evidence: UncertaintyEvidence,
    patient: PatientAtHand,
    effectiveness: Float64[np.ndarray, " treatment"],
    facts: TrainingFacts | None = None,
) -> Sureness:
    """Patients alike, distance from training, and the set of options of one patient.

    Args:
        effectiveness: P(option is effective), mean over the ensemble.
        facts: what each code was in training, to name what is beyond it.
    """
    alike, similar, given = _alike(evidence.alike, patient, facts)
    certainty = Certainty(needed_patients=patient.study.advice.needed_alike)
    certainty = replace(certainty, similar_patients=alike[0], remarks=alike[1])
    if evidence.distance is not None:
        share = share_less_unusual(
            evidence.distance, patient.profile, patient.history, patient.decision
        )[0]
        is_far = facts is not None and is_far_beyond(patient, facts)
        together = _together(evidence, patient, facts)
        is_outside = bool(share >= patient.study.advice.outside_share or is_far or together)
        named = _outside(evidence, patient, facts, together) if is_outside else ()
        is_plain = is_far or bool(together)
        lacking = _lacking(evidence.distance, patient) if is_outside and not is_plain else ()
        certainty = replace(
            certainty, distance=float(share), is_outside_training=is_outside, outside=named
        )
    else:
        lacking = ()
    if evidence.options is not None:
        members = option_sets(evidence.options, effectiveness[None, :])[0]
        titles = [t.title for t in patient.study.formulary.treatments]
        likeliest = np.argsort(-effectiveness, kind="stable").tolist()
        chosen = tuple(titles[k] for k in likeliest if members[k])
        certainty = replace(certainty, option_set=chosen, set_coverage=evidence.options.coverage)
    return Sureness(certainty, similar, given, lacking)


def with_intervals(
    advice: DoseAdvice,
    evidence: UncertaintyEvidence,
    patient: PatientAtHand,
    effectiveness: Float64[np.ndarray, " treatment"],
) -> DoseAdvice:
    """The study's single dose with both intervals, if they were measured."""
    if evidence.dose is None:
        return advice
    exact = np.array([advice.exact])
    at = (patient.history, patient.decision)
    predictions = dose_predictions(
        patient.study, patient.profile, at, exact, effectiveness[None, :]
    )
    found = dose_intervals(evidence.dose, predictions)
    return replace(
        advice,
        plan_for=(float(found.plan_low[0]), float(found.plan_high[0])),
        ready_for=(float(found.ready_low[0]), float(found.ready_high[0])),
        coverage=evidence.dose.coverage,
    )


def _alike(
    alike: PatientsAlike | None, patient: PatientAtHand, facts: TrainingFacts | None
) -> tuple[tuple[int | None, tuple[str, ...]], tuple[SimilarPatients, ...], tuple[int | None, ...]]:
    """Number alike and what that means; counts by option."""
    if alike is None:
        return (None, ()), (), ()
    own = answer(alike.questions, patient.profile, patient.history, patient.decision)[0]
    cell = alike.cell(answers_as_text(own))
    remark = _meaning(alike, patient, own, facts)
    if cell is None:
        rare = tr("Fewer than 5 training patients are like this one; smaller counts are not kept.")
        return (0, (*remark, rare)), (), ()
    return (cell.patients, remark), _similar(cell, patient.study), _given(cell)


def _similar(cell: Cell, study: Study) -> tuple[SimilarPatients, ...]:
    is_dose = study.outcome.kind == "dose_class" and study.dose is not None
    unit = study.dose.unit if is_dose else plain_unit(study.outcome.unit)
    is_change = study.outcome.change is not None and study.outcome.range is None
    rows = [(t.title, n) for t, n in zip(study.formulary.treatments, cell.options, strict=True)]
    if study.outcome.kind in EVENT_KINDS:
        return tuple(_with_interval(_of_event(*row), row[1].effective_size) for row in rows)
    counts = (
        SimilarPatients(title, n.known, n.reached_goal, n.mean, unit, is_change)
        for title, n in rows
    )
    return tuple(_with_interval(count, None) for count in counts)


def _with_interval(row: SimilarPatients, effective_size: float | None) -> SimilarPatients:
    """With the interval of the share that reaches the goal, where there is a share."""
    share, size = row.goal_share, effective_size
    if row.reached_goal is not None and row.patients:
        share, size = row.reached_goal / row.patients, row.patients
    if share is None or not size:
        return row
    low, high = wilson_limits(min(share, 1.0), float(size))
    return replace(row, goal_low=round(low, 4), goal_high=round(high, 4))


def _of_event(title: str, count: OptionCount) -> SimilarPatients:
    """Policies saved before `goal_share` hold a count of the known, among whom are too many with
    the event: it counts where all are known."""
    reached = count.reached_goal if count.known == count.patients else None
    return SimilarPatients(
        title,
        count.patients,
        reached,
        mean=None,
        goal_share=count.goal_share,
        followed=count.followed,
    )


def _given(cell: Cell) -> tuple[int | None, ...]:
    return tuple(option.patients for option in cell.options)


def _meaning(
    alike: PatientsAlike, patient: PatientAtHand, own: np.ndarray, facts: TrainingFacts | None
) -> tuple[str, ...]:
    """Which facts patients alike share, as a sentence."""
    shared = shared_facts(patient.at, alike.questions, own, facts)
    text = tr("Patients like this one: {facts}.")
    return (text.format(facts="; ".join(shared)),) if shared else ()


def _lacking(distance: Distance, patient: PatientAtHand) -> tuple[str, ...]:
    """Facts not recorded here and of nearly all in training, if with them nothing is unusual."""
    families = lacking_families(distance, patient.profile, patient.history, patient.decision)
    if not families:
        return ()
    share = share_less_unusual(
        distance, patient.profile, patient.history, patient.decision, usual=families
    )[0]
    if share >= patient.study.advice.outside_share:
        return ()
    names = (display_name(family, patient.study.names) for family in families)
    return tuple(fact_name(without_system(name.partition(", ")[0])) for name in names)


def _together(
    evidence: UncertaintyEvidence, patient: PatientAtHand, facts: TrainingFacts | None
) -> tuple[str, ...]:
    """Two numbers, each within what training had, that together are beyond it; as a sentence."""
    if evidence.number_pairs is None or facts is None:
        return ()
    at = patient.profile, patient.history, patient.decision
    odd = oddest_pair(evidence.number_pairs, *at)
    if odd is None or odd.share < patient.study.advice.outside_share:
        return ()
    rows = np.array(sorted(patient.profile.codes.index(code) for code in odd.codes))
    numbers = read_facts(patient.history, patient.decision, rows).number[0]
    both = list(zip(rows.tolist(), numbers.tolist(), strict=True))
    if not all(training_range(facts, row).contains(number) for row, number in both):
        return ()  # the one that is beyond is named by itself
    first, second = (fact_in_words(patient.profile, row, number) for row, number in both)
    pair = tr("{first} with {second}").format(
        first=f"{first[:1].upper()}{first[1:]}", second=second
    )
    return (f"{pair} {tr(UNLIKE)}",)


def _outside(
    evidence: UncertaintyEvidence,
    patient: PatientAtHand,
    facts: TrainingFacts | None,
    together: tuple[str, ...],
) -> tuple[str, ...]:
    """What is beyond training; if nothing is, the facts that are unusual together.

    together: the sentence on two numbers, which comes first; what it names is not named again.
    """
    beyond = () if facts is None else _beyond(patient, facts)
    if beyond or evidence.distance is None:
        return (*together, *beyond)
    codes = unusual_codes(evidence.distance, patient.profile, patient.history, patient.decision)
    named = " ".join(together).lower()
    words = [w for w in unusual_in_words(patient.at, codes, facts) if w.lower() not in named]
    if not words:
        return together
    text = tr("Rare in training, alone or together: {facts}.")
    return (*together, text.format(facts="; ".join(words)))


def is_far_beyond(patient: PatientAtHand, facts: TrainingFacts) -> bool:
    """Whether a number lies far below or above what training had, by one rule for both sides.

    Far is more than FAR of `training_range` beyond it: in logarithms where all is above 0, so that
    half of the smallest is as far as twice the largest.
    """
    codes = fact_codes(patient.profile)
    table = read_facts(patient.history, patient.decision, codes)
    known = np.flatnonzero(np.isfinite(table.number[0]))
    for row, number in zip(codes[known].tolist(), table.number[0][known].tolist(), strict=True):
        ends = training_range(facts, row)
        low, high = ends.low, ends.high
        if low is None or high is None or low == high:
            continue
        if low > 0:
            number = math.log(number) if number > 0 else -math.inf
            low, high = math.log(low), math.log(high)
        if max(low - number, number - high) > FAR * (high - low):
            return True
    return False


def _beyond(patient: PatientAtHand, facts: TrainingFacts) -> tuple[str, ...]:
    """One sentence for each number beyond which fewer than five training patients had one."""
    codes = fact_codes(patient.profile)
    table = read_facts(patient.history, patient.decision, codes)
    sentences = []
    for row, number in zip(codes.tolist(), table.number[0].tolist(), strict=True):
        low, high = facts.low[row], facts.high[row]
        if low is None or high is None or not np.isfinite(number) or low <= number <= high:
            continue
        bound = high if number > high else low
        name, size = name_and_size(patient.profile, row, number, digits=6)
        seen = name_and_size(patient.profile, row, bound, digits=6)[1]
        fact = f"{name[:1].upper()}{name[1:]} {size}"
        sentences.append(beyond_words(number > high).format(fact=fact, bound=seen))
    return tuple(sentences)
