"""The question, written down once: who, when, which options, towards which outcome."""

from dataclasses import dataclass

from posology.domain.formulary import DoseRange, Formulary
from posology.domain.formulas.formula import Formula


@dataclass(frozen=True, slots=True)
class Bounds:
    """A closed range; None where a side is open to infinity."""

    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class ValueRange:
    """The last visible number of any of the codes lies within the bounds."""

    codes: tuple[str, ...]
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Decision:
    """When the choice is made."""

    codes: tuple[str, ...]
    """Codes (prefixes) that mark time zero."""
    which: str
    """`first`: one decision a patient; `every`: each one in order, a trajectory; `interval`: from
    the first mark on, every `every_days` days until the patient's records end."""
    eligible: tuple[str, ...] = ()
    """Codes of which one must be visible at time zero; none asked where empty."""
    excluded: tuple[str, ...] = ()
    """Codes of which none may be visible at time zero."""
    ranges: tuple[ValueRange, ...] = ()
    """Numbers that must be known and lie in their ranges."""
    every_days: float | None = None
    """`interval`: days from one decision to the next; `every`: at least so many."""
    look_back_days: float | None = None
    """Dated events longer before the patient's first decision are not read; None: all are."""


@dataclass(frozen=True, slots=True)
class AssignmentSpec:
    """How a treatment given is told from the events."""

    grace_days: float = 0.0
    """Days from time zero within which it must have started."""
    switch: str = "first"
    """Of several options in the window: the `first`, the `last`, or `exclude` the decision."""
    dose_per: str = "day"
    """What an event's number is: the amount a `day`, a `week`, or `each` time it is given."""
    dose_days: float = 1.0
    """`each`: amounts of so many days from time zero are summed and divided by the days."""
    randomised: bool = False
    """Drawn by lot, with the same chances for all: a trial."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it, and what effective means."""

    codes: tuple[str, ...]
    unit: str
    kind: str
    """`dose_class`: the outcome is the dose that proved right, so the best option is known.
    `occurs`, `does_not_occur`: effective if any of the codes does, or does not, come in the window.
    `value_in_range`, `change`: effective if the first number in the window, or its change since the
    last one visible, lies in `range` or `change`; where both are given, either will do.
    `time_to_event`: the days until the event or until follow-up ends; effective if event-free."""
    within_days: float
    """How long after time zero the outcome may come; without it follow-up is incomplete."""
    from_days: float = 0.0
    """The window opens after so many days."""
    range: Bounds | None = None
    change: Bounds | None = None
    unless: tuple[str, ...] = ()
    """Codes that, from time zero to the outcome, make the option ineffective (it was stopped)."""
    competing: tuple[str, ...] = ()
    """Codes after which the outcome cannot come (death)."""
    competing_means: str = "censored"
    """What a competing event makes of the decision: `censored` or `ineffective`."""


@dataclass(frozen=True, slots=True)
class FollowUpSpec:
    """How long patients are watched."""

    ended_by: tuple[str, ...] = ()
    """Codes that end it for good (death)."""
    until: float | None = None
    """Days since 1970-01-01 up to which all are watched unless ended; None: to their last event."""
    weighted_by: tuple[str, ...] = ()
    """Codes whose last numbers (or presence) tell who is followed to the end; then complete
    decisions are weighted for those that were not."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A harm, and what each occurrence until the next decision takes from the reward."""

    codes: tuple[str, ...]
    cost: float
    within_days: float


@dataclass(frozen=True, slots=True)
class Reward:
    """What each option earns: by which option was right, or by what came of it."""

    table: tuple[tuple[float, ...], ...]
    """table[right option][chosen option], each between its row's worst and 1."""
    source: str
    effective: float = 1.0
    """What an effective option earns, where there is no table; an ineffective one earns 0."""
    costs: tuple[Cost, ...] = ()
    discount: float = 1.0
    """Of the next decision's value."""


@dataclass(frozen=True, slots=True)
class Preference:
    """A line of a guideline: when it holds, which options come first."""

    prefer: tuple[str, ...]
    """Options by name, most preferred first."""
    visible: tuple[str, ...] = ()
    """Holds where any of these codes is visible ..."""
    ranges: tuple[ValueRange, ...] = ()
    """... or any of these numbers is in its range; always where neither is asked."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A guideline as a policy: a fixed dose, or a named formula."""

    name: str
    kind: str
    """`fixed`, `formula` or `order`."""
    source: str
    dose: float | None = None
    formula: Formula | None = None
    order: tuple[Preference, ...] = ()
    """Lines of the guideline; the first that holds is followed."""
    skip_tried: bool = False
    """Whether options already given are passed over while another is left."""


@dataclass(frozen=True, slots=True)
class Contraindication:
    """Options that must not be given, as data."""

    options: tuple[str, ...]
    source: str
    visible: tuple[str, ...] = ()
    """Where any of these codes is visible ..."""
    ranges: tuple[ValueRange, ...] = ()
    """... or any of these numbers is in its range."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Numbers of dense series, averaged before they become events."""

    codes: tuple[str, ...]
    hours: float
    """Width of a bin; its mean stands at the time of its last measurement."""


@dataclass(frozen=True, slots=True)
class PredictionTarget:
    """Something of the future that the network also predicts."""

    name: str
    codes: tuple[str, ...]
    within_days: float
    from_days: float = 0.0
    unit: str = ""
    """Of the number asked; empty where none is."""


INTERVALS = 12
"""Equal parts of a time-to-event target's window, each with its own hazard. Our choice."""


@dataclass(frozen=True, slots=True)
class KidneySpec:
    """Creatinine, from which the kidney's formulas make events (domain/formulas/kidney.py)."""

    creatinine: tuple[str, ...]
    unit: str
    """`mg/dL` or `umol/L`."""
    female: tuple[str, ...]
    """Codes that say so; all others are taken as male."""
    weight: tuple[str, ...] = ()
    """In kg; without it there is no Cockcroft-Gault."""


@dataclass(frozen=True, slots=True)
class ProfileSpec:
    """Which events make the profile."""

    families: tuple[str, ...]
    """Code prefixes that may be features; everything else never is."""
    minimum_patients: int
    """A code seen in fewer training patients is left out of the vocabulary."""
    refit: tuple[Formula, ...] = ()
    """Formulas refitted on the training split, whose answers are events of the profile."""
    fill_groups: tuple[tuple[str, ...], ...] = ()
    """Groups whose training means fill a formula's missing numbers, most particular first."""
    resolution: tuple[Resolution, ...] = ()
    kidney: KidneySpec | None = None
    embedding_components: int | None = None
    """Numbers that stand for an image's vector; None leaves vectors whole."""


@dataclass(frozen=True, slots=True)
class Split:
    """Shares of the patients by a stable hash of the subject or the site; or by date; or a file."""

    train: float
    validation: float
    test: float
    salt: str
    by: str = "subject"
    """`subject`, `site`, `time`: by the date of the subject's first decision, or `file`: as the
    records' own MEDS split file says, and by hash those that it lacks, where `salt` is told."""
    site: tuple[str, ...] = ()
    """Codes whose number tells the site; never a feature."""
    validation_from: float | None = None
    """`time`: first decisions from this day (since 1970-01-01) on choose ..."""
    test_from: float | None = None
    """... and from this day on test."""


@dataclass(frozen=True, slots=True)
class Study:
    """A target trial (Hernán and Robins 2016, doi:10.1093/aje/kwv254) that a computer can run."""

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
    """Named families by which the report breaks errors down."""
    assignment: AssignmentSpec = AssignmentSpec()
    follow_up: FollowUpSpec = FollowUpSpec()
    safety: tuple[Contraindication, ...] = ()
    diagnosis: tuple[PredictionTarget, ...] = ()
    """Codes whose occurrence after time zero is asked."""
    progression: tuple[PredictionTarget, ...] = ()
    """Codes whose first number in the window is asked."""
    time_to_event: tuple[PredictionTarget, ...] = ()
    """Codes of which it is asked when the first comes, under censoring."""
