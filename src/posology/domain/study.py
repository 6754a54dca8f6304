"""The study definition: population, decision times, options and outcome."""

import re
from dataclasses import dataclass

from posology.domain.formulary import DoseRange, Formulary
from posology.domain.formulas.formula import Formula
from posology.domain.pharmacogenomics.spec import PgxSpec
from posology.domain.safety_rules.harm_budget import HarmBudget
from posology.domain.safety_rules.rule import NO_PACKS, Criterion, SafetySpec
from posology.domain.standard_facts import StandardFact

_NEGATION = re.compile(r"^\s*not\s+(?:(?:intended|meant)\s+)?for:?\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Bounds:
    """A closed range; None if a side has no bound."""

    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class ValueRange:
    """A condition: the last visible number of any of the codes lies within the bounds."""

    codes: tuple[str, ...]
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Decision:
    """When treatment is chosen, and for which patients."""

    codes: tuple[str, ...]
    """Codes (prefixes) that mark time zero."""
    which: str
    """`first`: one decision per patient; `every`: all of them, a trajectory; `interval`: from the
    first one on, every `every_days` days until the patient's follow-up ends; `sequential`: each of
    them, or of a grid of `every_days`, is a trial of its own, of those who used no option yet."""
    eligible: tuple[str, ...] = ()
    """Codes of which at least one must be visible at time zero; no condition if empty."""
    excluded: tuple[str, ...] = ()
    """Codes of which none may be visible at time zero."""
    ranges: tuple[ValueRange, ...] = ()
    """Numbers that must be known and lie within their ranges."""
    every_days: float | None = None
    """Days from one decision to the next: exactly for `interval`, at least for `every`."""
    look_back_days: float | None = None
    """Dated events longer before the patient's first decision are ignored; None: no limit."""
    new_users_days: float | None = None
    """Days before a decision in which no option may have been used; None: no condition."""
    history_days: float | None = None
    """Days before a decision for which the patient must have been recorded; None: no condition."""
    criteria: tuple[Criterion, ...] = ()
    """All of them must be met."""


LONGEST_GRACE_WITHOUT_LANDMARK = 1.0
"""Days of grace in which nobody is taken to be immortal: most records have days, no hours."""


@dataclass(frozen=True, slots=True)
class AssignmentSpec:
    """How the treatment given is recognised in the events."""

    grace_days: float = 0.0
    """Days from time zero within which it must start. Above a day it is a landmark."""
    switch: str = "first"
    """Of several options in the window: the `first`, the `last`, or `exclude` the decision."""
    dose_per: str = "day"
    """Meaning of an event's number: amount per `day`, per `week`, or `each` time it is given."""
    dose_days: float = 1.0
    """For `each`: the amounts of this many days from time zero are summed and divided by it."""
    randomised: bool = False
    """Whether treatment was randomised with equal probabilities: a trial."""

    @property
    def landmark_days(self) -> float:
        """Days from time zero to the landmark, at which every outcome window opens; 0: none.

        Whoever starts late in a grace period lived that long without the outcome. So the analysis
        begins when the period ends, for all (Anderson, Cain and Gelber 1983,
        doi:10.1200/JCO.1983.1.11.710).
        """
        long = self.grace_days > LONGEST_GRACE_WITHOUT_LANDMARK
        return self.grace_days if long else 0.0


EVENT_KINDS = ("occurs", "does_not_occur", "time_to_event")
"""Kinds of outcome that are an event, and not a number."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome, and when a treatment counts as effective."""

    codes: tuple[str, ...]
    unit: str
    kind: str
    """`dose_class`: the outcome is the stable dose, so that the best option is known.
    `occurs`, `does_not_occur`: effective if an event with any of the codes occurs, or does not
    occur, in the window. `value_in_range`, `change`: effective if the first number in the window,
    or its change from the last visible one, lies in `range` or `change`; either if both are set.
    `time_to_event`: days to the event or the end of follow-up; effective if event-free."""
    within_days: float
    """The outcome window closes after this many days."""
    from_days: float = 0.0
    """The outcome window opens after this many days."""
    range: Bounds | None = None
    change: Bounds | None = None
    unless: tuple[str, ...] = ()
    """Codes that make the option ineffective if they occur before the outcome (it was stopped)."""
    competing: tuple[str, ...] = ()
    """Codes of competing events, after which the outcome cannot occur. `follow_up.ended_by` (death)
    competes too, without being listed."""
    competing_as: str = "failure"
    """How a competing event before the outcome counts. `failure`: the option is not effective.
    `cause_specific`: it censors, as if it could be prevented. `composite`: it is the outcome."""


DEATH = "MEDS_DEATH"
PERIOD_START, PERIOD_END = "OBSERVATION_PERIOD//START", "OBSERVATION_PERIOD//END"
"""Events that open and close the time in which a patient's events are recorded; never features."""


@dataclass(frozen=True, slots=True)
class FollowUpSpec:
    """How long patients are followed."""

    ended_by: tuple[str, ...] = (DEATH,)
    """Codes that end follow-up for good, after which nothing can happen; death is always one."""
    until: float | None = None
    """Last day of follow-up of everybody, since 1970-01-01: the end of the study's records."""
    weighted_by: tuple[str, ...] = ()
    """Covariates of censoring: codes whose last numbers (or presence) explain who is followed to
    the end. The weights of observed outcomes depend on them, and on the option, in any case."""
    observed_by: tuple[str, ...] = (PERIOD_END,)
    """Codes that end observation without ending life: the patient left or moved."""
    ends: str = ""
    """`last_event`: follow-up ends at each patient's last event, whatever `observed_by` says.
    Empty: at the first of `observed_by`, `until` and `ended_by`; else at the last event."""


SAME_DAY = ("baseline", "treatment", "outcome")
"""Default order of the events of one day."""


@dataclass(frozen=True, slots=True)
class TimeSpec:
    """How exact the times of the records are."""

    resolution: str = ""
    """`day`: dates without hours; `minute`: times as recorded; empty: not stated, as recorded."""
    same_day: tuple[str, ...] = SAME_DAY
    """With `day`, the order of baseline, treatment and outcome on one day."""

    @property
    def slack(self) -> float:
        """Days from the start of a day to what follows treatment on it; 0 if times have hours.

        A power of two, so that sums of it and whole days are exact. Our choice: 84 seconds.
        """
        return 2.0**-10 if self.resolution == "day" else 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """A harm, and the cost of each occurrence until the next decision."""

    codes: tuple[str, ...]
    cost: float
    within_days: float
    from_days: float = 0.0
    """Days from time zero to the landmark, before which harms do not count."""


@dataclass(frozen=True, slots=True)
class Reward:
    """The reward of each option: from a table by the best option, or from effect and harms."""

    table: tuple[tuple[float, ...], ...]
    """table[best option][chosen option]; empty where the reward is computed from the outcome."""
    source: str
    effective: float = 1.0
    """Reward of an effective option, without a table; an ineffective one has reward 0."""
    costs: tuple[Cost, ...] = ()
    discount: float = 1.0
    """Discount factor of the next decision's value."""


@dataclass(frozen=True, slots=True)
class Preference:
    """A line of a guideline: a condition, and the options to prefer if it is met."""

    prefer: tuple[str, ...]
    """Options by name, most preferred first."""
    visible: tuple[str, ...] = ()
    """The condition is met if any of these codes is visible ..."""
    ranges: tuple[ValueRange, ...] = ()
    """... or any of these numbers is in its range; without either it is always met."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A guideline as a policy: a fixed dose, a named formula, or an ordered list of options."""

    name: str
    kind: str
    """`fixed`, `formula` or `order`."""
    source: str
    dose: float | None = None
    formula: Formula | None = None
    order: tuple[Preference, ...] = ()
    """Lines of the guideline; the first whose condition is met applies."""
    skip_tried: bool = False
    """Whether options already given are skipped while another remains."""
    title: str = ""
    """Name for readers."""

    @property
    def words(self) -> str:
        """The name for readers; without a title the name in words."""
        return self.title or self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Contraindication:
    """Options that must not be given, and the condition."""

    options: tuple[str, ...]
    source: str
    visible: tuple[str, ...] = ()
    """Contraindicated if any of these codes is visible ..."""
    ranges: tuple[ValueRange, ...] = ()
    """... or any of these numbers is in its range."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Time resolution of dense series: numbers are averaged per bin before they become events."""

    codes: tuple[str, ...]
    hours: float
    """Width of a bin; its mean has the time of its last measurement."""


@dataclass(frozen=True, slots=True)
class PredictionTarget:
    """A further outcome that the network also predicts."""

    name: str
    codes: tuple[str, ...]
    within_days: float
    from_days: float = 0.0
    unit: str = ""
    """Unit of the number; empty if the target is no number."""


INTERVALS = 12
"""Number of equal intervals of a time-to-event window, each with its own hazard. Our choice."""


@dataclass(frozen=True, slots=True)
class KidneySpec:
    """Inputs of the kidney function formulas (domain/formulas/kidney.py)."""

    creatinine: tuple[str, ...]
    unit: str
    """`mg/dL` or `umol/L`."""
    female: tuple[str, ...]
    """Codes of female sex; all other patients count as male."""
    weight: tuple[str, ...] = ()
    """In kg; without it Cockcroft-Gault is not computed."""


SEX = ("SEX", "GENDER")
"""Families of codes of sex, unless the study file names others."""


@dataclass(frozen=True, slots=True)
class ProfileSpec:
    """Which events are features."""

    families: tuple[str, ...]
    """Prefixes of the codes that may be features."""
    minimum_patients: int
    """A code that fewer training patients have is not in the vocabulary."""
    refit: tuple[Formula, ...] = ()
    """Formulas refitted on the training split; their results are events of the profile."""
    fill_groups: tuple[tuple[str, ...], ...] = ()
    """Groups whose training means impute a formula's missing numbers, most specific first."""
    resolution: tuple[Resolution, ...] = ()
    kidney: KidneySpec | None = None
    embedding_components: int | None = None
    """Principal components kept of an image's vector; None keeps the whole vector."""
    required_for_advice: tuple[str, ...] = ()
    """Prefixes of codes without which there is no advice for a patient."""
    limits: tuple[ValueRange, ...] = ()
    """Numbers outside cannot be right: a patient's file that has one is refused."""
    sex: tuple[str, ...] = SEX
    """Prefixes of the codes of sex."""
    age: tuple[str, ...] = ()
    """Codes whose number is the age in years; ages in decades and dates of birth are known."""
    standard: tuple[StandardFact, ...] = ()
    """How facts of a patient are found under the codes of other systems, for advice."""
    may_be_unknown: tuple[str, ...] = ()
    """Those of `required_for_advice` without which a form is answered that states in words that
    they are not known; the answer then begins with them."""
    images: bool = False
    """Whether the network reads the pixels of the families' image events, not only their codes."""


@dataclass(frozen=True, slots=True)
class Split:
    """Training, validation and test: by a hash of subject or site, by date, or by a file."""

    train: float
    validation: float
    test: float
    salt: str
    by: str = "subject"
    """`subject` or `site`: by hash; `time`: by the date of the subject's first decision; `file`: by
    the records' MEDS split file, and by hash for subjects not in it, if `salt` is set."""
    site: tuple[str, ...] = ()
    """Codes whose number is the site; never a feature."""
    validation_from: float | None = None
    """`time`: first decisions from this day on (since 1970-01-01) are validation ..."""
    test_from: float | None = None
    """... and from this day on, test."""


@dataclass(frozen=True, slots=True)
class AdviceSpec:
    """When there is no answer for a patient; the guideline and usual care are shown instead."""

    needed_alike: int = 50
    """Training patients like this one that an answer needs. Our choice."""
    outside_share: float = 0.995
    """No answer for a patient more unusual than this share of training patients. Our choice."""
    least_difference: float = 0.0
    """Smallest difference to the reference that counts: patients of 100, or the outcome's unit."""
    widest_dose: float | None = None
    """No dose where the upper end of the wide interval is more than so many times the lower end;
    None: no such limit."""
    min_age: float | None = None
    """Years below which the study is not for a patient; None: no limit."""
    max_age: float | None = None
    """Years above which it is not."""


@dataclass(frozen=True, slots=True)
class Study:
    """The protocol of a target trial (Hernán and Robins 2016, doi:10.1093/aje/kwv254)."""

    name: str
    title: str
    purpose: str
    limits: str
    decision: Decision
    formulary: Formulary
    outcome: Outcome
    reward: Reward
    rules: tuple[Rule, ...]
    profile: ProfileSpec
    split: Split
    dose: DoseRange | None
    subgroups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Named groups of codes; reports score each group separately."""
    assignment: AssignmentSpec = AssignmentSpec()
    follow_up: FollowUpSpec = FollowUpSpec()
    safety: tuple[Contraindication, ...] = ()
    diagnosis: tuple[PredictionTarget, ...] = ()
    """Events whose probability is predicted."""
    progression: tuple[PredictionTarget, ...] = ()
    """Numbers of which the first in the window is predicted."""
    time_to_event: tuple[PredictionTarget, ...] = ()
    """Events whose time is predicted, under censoring."""
    names: tuple[tuple[str, str], ...] = ()
    """Codes, or prefixes of codes, with their names in words (domain/codes.py). A cohort's study
    also has the names that the records give to its codes."""
    reference: str | None = None
    """Name of the option that is the control, with which options and rules are compared; None:
    usual care, which is treatment as observed."""
    clock: TimeSpec = TimeSpec()
    """The table `[time]`."""
    safety_packs: SafetySpec = NO_PACKS
    """The table `[safety_packs]`."""
    advice: AdviceSpec = AdviceSpec()
    """The table `[advice]`."""
    pharmacogenomics: PgxSpec | None = None
    budgets: tuple[HarmBudget, ...] = ()
    """How much of each harm a policy may cost."""

    @property
    def not_for(self) -> str:
        """`limits` under a heading that says "not for", without these words at its start."""
        rest = _NEGATION.sub("", self.limits, count=1)
        return rest[:1].upper() + rest[1:] if rest else self.limits
