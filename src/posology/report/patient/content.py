"""What a recommendation's page and terminal text are made of: the words of every part, in order."""

from dataclasses import dataclass

GOOD, BAD, SAME, REFERENCE, NONE = "good", "bad", "same", "reference", "none"
"""Classes of a number: better, worse, no clear difference, the reference, nothing to compare."""
STOP, WARN, NOTE, QUIET = "stop", "warn", "note", "quiet"
"""Tones of a tag or callout."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A word with a mark: `icon` names the mark, so that colour never stands alone."""

    text: str
    tone: str
    icon: str


@dataclass(frozen=True, slots=True)
class Callout:
    """One line of what must be read first."""

    head: str
    text: str
    tone: str
    target: str = ""
    """Id of the section that says more."""
    link: str = ""


@dataclass(frozen=True, slots=True)
class HarmCell:
    """A harm or cost with one option."""

    name: str
    unit: str
    value: str
    interval: str
    change: str
    kind: str


@dataclass(frozen=True, slots=True)
class OptionRow:
    """One option: benefit, difference, harms, dose; or why there are none."""

    title: str
    dose: str
    notes: tuple[str, ...]
    """Small lines under the dose."""
    value: str
    interval: str
    change: str
    change_interval: str
    verdict: str
    kind: str
    mark: str
    """SVG of the interval."""
    harms: tuple[HarmCell, ...]
    """One for each column."""
    is_first: bool
    """Whether it is shown better than all others."""
    tag: Tag | None
    """Of a quiet row, which has no numbers."""
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OptionTable:
    """All options against one reference, on one axis."""

    heading: str
    note: str
    goal: str
    goal_unit: str
    """`of 100`, or the unit."""
    reference: str
    axis: str
    """SVG of the axis; empty where no difference is known."""
    sides: tuple[str, str]
    """Words for the two directions of the axis."""
    harms: tuple[tuple[str, str], ...]
    """Name and unit of each column."""
    rows: tuple[OptionRow, ...]

    @property
    def has_numbers(self) -> bool:
        """Whether any row has an estimate."""
        return any(row.tag is None for row in self.rows)

    @property
    def has_changes(self) -> bool:
        """Whether any row is compared with the reference."""
        return any(row.change for row in self.rows)

    @property
    def counted(self) -> int:
        """Columns of harms that are counted of 100; they stand first."""
        return sum(not unit for _, unit in self.harms)


@dataclass(frozen=True, slots=True)
class Line:
    """A label and its text; `key` is the class of a sample of colour."""

    label: str
    text: str
    strong: str = ""
    """First words, in bold."""
    key: str = ""


@dataclass(frozen=True, slots=True)
class DosePart:
    """One dose on its scale."""

    title: str
    """Whose dose, where there are several."""
    dose: str
    strip: str
    """SVG."""
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class SafetyRow:
    """One finding of safety or pharmacogenomics."""

    tag: Tag
    finding: str
    options: str
    meaning: str
    strength: str
    source: str
    version: str


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One plan: the value after each step, and its course."""

    plan: str
    """`Continue`, `Stop`, `Switch`."""
    title: str
    """The option with its dose."""
    cells: tuple[tuple[str, str], ...]
    """The value after each step, and its interval."""
    course: str
    """SVG."""
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanTable:
    """A value if the patient continues, stops or switches."""

    heading: str
    note: str
    heads: tuple[str, ...]
    """`3 months`, of each step."""
    rows: tuple[PlanRow, ...]
    lines: tuple[Line, ...]
    """What the figures are, and how sure."""


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """One fact, its sentence, and its bar."""

    fact: str
    text: str
    amount: str
    bar: str
    """SVG."""


@dataclass(frozen=True, slots=True)
class ContrastPart:
    """Two options, and what separates them."""

    heading: str
    note: str
    sides: tuple[str, str]
    unit: str
    rows: tuple[ReasonRow, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A heading with sentences."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SimilarRow:
    """What patients like this one were given, and what came of it."""

    option: str
    patients: str
    reached: str
    share: str
    mean: str


@dataclass(frozen=True, slots=True)
class MissingRow:
    """A fact that is not recorded."""

    tag: Tag
    fact: str
    """Or several, of which the same holds."""
    assumed: str
    """Empty where the note under the heading says it of all."""
    help: str
    is_first: bool


@dataclass(frozen=True, slots=True)
class LookedRow:
    """A step of the record and the share of attention on it."""

    step: str
    share: str
    bar: str
    """SVG."""


@dataclass(frozen=True, slots=True)
class PatientPage:
    """The variables of the page's template. Empty parts are not shown."""

    title: str
    kicker: str
    banner: tuple[tuple[str, str], ...]
    record_time: str
    headline: str
    lead: tuple[str, ...]
    tags: tuple[Tag, ...]
    decision_note: str
    callouts: tuple[Callout, ...]
    links: tuple[tuple[str, str], ...]
    """Id and short title of every section that is shown."""
    instead: tuple[Line, ...]
    """Of a state without an answer: what to go on."""
    options: OptionTable | None
    dose_heading: str
    dose_note: str
    doses: tuple[DosePart, ...]
    certainty: tuple[Line, ...]
    safety_note: str
    safety: tuple[SafetyRow, ...]
    plans: PlanTable | None
    contrasts: tuple[ContrastPart, ...]
    why: tuple[Group, ...]
    similar_note: str
    similar_heads: tuple[str, ...]
    """Of how many reached the goal, and of the mean; "" where there is none."""
    similar: tuple[SimilarRow, ...]
    missing_note: str
    missing: tuple[MissingRow, ...]
    missing_rest: str
    known: tuple[Line, ...]
    looked: tuple[LookedRow, ...]
    guideline: tuple[Line, ...]
    evidence: tuple[Line, ...]
    footer: tuple[str, ...]
    digest: str
    language: str = "en"
    """Of its texts, as in HTML."""
    css: str = ""
    css_hash: str = ""
    """SHA-256 of the style sheet, for the page's content security policy."""
