"""Convert the tables of a study file to domain types, with the checks that types cannot make."""

from dataclasses import dataclass, replace
from datetime import date

from posology.cohorts.study.error_messages import unknown_name_message
from posology.cohorts.study.schema import (
    BoundsSection,
    CostSection,
    DoseSection,
    FollowUpSection,
    KidneySection,
    OutcomeSection,
    PreferenceSection,
    ProfileSection,
    RangeSection,
    RuleSection,
    SafetySection,
    SplitSection,
    TargetSection,
    TreatmentSection,
)
from posology.domain.codes import has_prefix
from posology.domain.formulary import DoseRange, Treatment
from posology.domain.formulas.formula import Formula
from posology.domain.formulas.published import FORMULAS
from posology.domain.standard_facts import StandardFact
from posology.domain.study import (
    DEATH,
    PERIOD_END,
    Bounds,
    Contraindication,
    Cost,
    FollowUpSpec,
    KidneySpec,
    Outcome,
    PredictionTarget,
    Preference,
    Reward,
    Rule,
    Split,
    ValueRange,
)
from posology.errors import StudyError

RewardTable = dict[str, str | float | dict[str, float] | list[CostSection]]
_EPOCH = date(1970, 1, 1)
_OF_EFFECT = ("effective", "costs", "discount")


@dataclass(frozen=True, slots=True)
class Place:
    """The file, for error messages, and the names of the options."""

    where: str
    names: tuple[str, ...] = ()

    def options(self, place: str, requested: list[str]) -> tuple[str, ...]:
        """The names; StudyError if one is not an option of the study."""
        for name in requested:
            if name not in self.names:
                raise StudyError(
                    unknown_name_message(f"{self.where}: {place} option", name, list(self.names))
                )
        return tuple(requested)


def treatment(table: TreatmentSection, place: Place) -> Treatment:
    """One option."""
    together = place.options(f"treatment {table.name}: together", table.together)
    definitions = [bool(table.codes), bool(together), table.otherwise]
    if sum(definitions) > 1:
        raise StudyError(
            f"{place.where}: treatment {table.name}: give one of codes, together and otherwise."
        )
    if len(together) == 1 or table.name in together:
        raise StudyError(
            f"{place.where}: treatment {table.name}: `together` names two or more other options."
        )
    dose = dose_range(table.dose, f"{place.where}: dose of {table.name}") if table.dose else None
    return Treatment(table.name, table.title, tuple(table.codes), dose, together, table.otherwise)


def dose_range(dose: DoseSection, where: str) -> DoseRange:
    """A range of doses."""
    lows = [x for x in (dose.at_least, dose.above) if x is not None]
    highs = [x for x in (dose.at_most, dose.below) if x is not None]
    if len(lows) != 1 or len(highs) != 1:
        raise StudyError(
            f"{where}: give one lower bound (at_least or above) and one upper (at_most or below)."
        )
    if not 0 <= lows[0] < highs[0]:
        raise StudyError(
            f"{where}: the range {lows[0]:g} to {highs[0]:g} {dose.unit} is impossible; "
            "the lower bound must be 0 or more and below the upper one."
        )
    return DoseRange(
        lows[0], highs[0], dose.unit, dose.step, dose.above is not None, dose.below is not None
    )


def outcome(table: OutcomeSection, where: str) -> Outcome:
    """The outcome, and when a treatment counts as effective."""
    needs = {"value_in_range": "range", "change": "change"}.get(table.kind)
    place = f"{where}: [outcome] kind {table.kind}"
    if needs and getattr(table, needs) is None:
        raise StudyError(f"{place} needs the table `{needs}`.")
    numbers = table.kind in ("value_in_range", "change")
    for name in ("range", "change"):
        if getattr(table, name) is not None and not numbers:
            raise StudyError(f"{place} has no use for `{name}`; remove it.")
    if table.kind == "dose_class" and (table.unless or table.competing):
        raise StudyError(f"{place} has no use for `unless` or `competing`; remove them.")
    _check_competing(table, f"{where}: [outcome]")
    if table.from_days >= table.within_days:
        raise StudyError(
            f"{where}: [outcome] the window from {table.from_days:g} to {table.within_days:g} days "
            "is empty; `from_days` must be below `within_days`."
        )
    return Outcome(
        tuple(table.codes),
        _outcome_unit(table, place),
        table.kind,
        table.within_days,
        table.from_days,
        _bounds(table.range, f"{where}: [outcome] range") if table.range else None,
        _bounds(table.change, f"{where}: [outcome] change") if table.change else None,
        tuple(table.unless),
        tuple(table.competing),
        table.competing_as,
    )


def _outcome_unit(table: OutcomeSection, place: str) -> str:
    """Unit of the outcome's number; an event has none, and the time to one is in days."""
    if table.unit is not None:
        return table.unit
    if table.kind in ("occurs", "does_not_occur", "time_to_event"):
        return "d" if table.kind == "time_to_event" else ""
    raise StudyError(f"{place} needs the key `unit`, that of its number.")


def _check_competing(table: OutcomeSection, place: str) -> None:
    if table.competing_as == "composite" and table.kind not in ("does_not_occur", "time_to_event"):
        raise StudyError(
            f'{place} `competing_as` is "composite", so that a competing event is the outcome; it '
            f'has no meaning for kind {table.kind}; write "failure" or "cause_specific".'
        )


def follow_up(table: FollowUpSection | None, where: str) -> FollowUpSpec:
    """How long patients are followed."""
    if table is None:
        return FollowUpSpec()
    if table.ends is not None and (table.until is not None or table.observed_by is not None):
        key = "until" if table.until is not None else "observed_by"
        raise StudyError(
            f'{where}: [follow_up] `ends` = "{table.ends}" says that follow-up ends at the last '
            f"event; remove it or `{key}`."
        )
    ended_by = tuple(table.ended_by)
    observed_by = (PERIOD_END,) if table.observed_by is None else tuple(table.observed_by)
    return FollowUpSpec(
        ended_by if DEATH in ended_by else (*ended_by, DEATH),
        _days(table.until),
        tuple(table.weighted_by),
        observed_by,
        table.ends or "",
    )


def reward(table: RewardTable, kind: str, place: Place) -> Reward:
    """From a table by the best option for kind dose_class; else from effect and harms."""
    source = table.get("source")
    if not isinstance(source, str):
        raise StudyError(f"{place.where}: [reward] needs `source`, where its numbers come from.")
    if kind == "dose_class":
        return Reward(_rewards(table, place), source)
    for name in table:
        if name not in ("source", *_OF_EFFECT):
            raise StudyError(
                unknown_name_message(f"{place.where}: [reward] key", name, ["source", *_OF_EFFECT])
            )
    effective, discount = table.get("effective", 1.0), table.get("discount", 1.0)
    costs = table.get("costs", [])
    if not isinstance(effective, float) or not isinstance(costs, list):
        raise StudyError(f"{place.where}: [reward] `effective` is a number, `costs` a list.")
    if not isinstance(discount, float) or not 0 <= discount <= 1:
        raise StudyError(f"{place.where}: [reward] `discount` is {discount}; it lies in 0 to 1.")
    return Reward(
        (),
        source,
        effective,
        tuple(Cost(tuple(c.codes), c.cost, c.within_days) for c in costs),
        discount,
    )


def _rewards(table: RewardTable, place: Place) -> tuple[tuple[float, ...], ...]:
    names, where = place.names, place.where
    rows = []
    for right in names:
        row = table.get(f"right_{right}")
        if not isinstance(row, dict) or sorted(row) != sorted(names):
            raise StudyError(
                f"{where}: [reward.right_{right}] must give a number for {', '.join(names)}."
            )
        rows.append(tuple(float(row[name]) for name in names))
    unknown = set(table) - {"source"} - {f"right_{name}" for name in names}
    if unknown:
        raise StudyError(
            unknown_name_message(
                f"{where}: [reward]", sorted(unknown)[0], [f"right_{n}" for n in names]
            )
        )
    return tuple(rows)


def rule(table: RuleSection, place: Place) -> Rule:
    """A guideline."""
    at = f"{place.where}: rule {table.name}"
    uses = {"fixed": "dose", "formula": "formula", "order": "order"}
    for kind, key in uses.items():
        if kind != table.kind and getattr(table, key):
            raise StudyError(f"{at}: `{key}` belongs to kind {kind}, not {table.kind}.")
    if table.skip_tried and table.kind != "order":
        raise StudyError(f"{at}: `skip_tried` belongs to kind order, not {table.kind}.")
    if table.kind == "fixed":
        if table.dose is None or table.source is None:
            raise StudyError(f"{at}: a fixed rule needs `dose` and `source`.")
        return Rule(table.name, "fixed", table.source, dose=table.dose, title=table.title)
    if table.kind == "order":
        if not table.order or table.source is None:
            raise StudyError(f"{at}: a rule of kind order needs `order` and `source`.")
        lines = tuple(_preference(line, table.name, place) for line in table.order)
        if lines[-1].visible or lines[-1].ranges:
            raise StudyError(f"{at}: the last line of `order` must have no condition.")
        rule = Rule(table.name, "order", table.source, order=lines, title=table.title)
        return replace(rule, skip_tried=table.skip_tried)
    if table.formula is None:
        raise StudyError(f"{at}: a formula rule needs `formula`, one of {', '.join(FORMULAS)}.")
    named = formula(table.formula, place.where)
    source = table.source or named.source
    return Rule(table.name, "formula", source, formula=named, title=table.title)


def _preference(table: PreferenceSection, name: str, place: Place) -> Preference:
    return Preference(
        place.options(f"rule {name}: prefer", table.prefer),
        tuple(table.visible),
        ranges(table.ranges, f"{place.where}: rule {name}: ranges"),
    )


def safety(table: SafetySection, place: Place) -> Contraindication:
    """Options that must not be given, and the condition."""
    options = place.options("[[safety]]", table.options)
    if not table.visible and not table.ranges:
        raise StudyError(
            f"{place.where}: [[safety]] of {', '.join(options)} needs `visible` or `ranges`."
        )
    spans = ranges(table.ranges, f"{place.where}: [[safety]] ranges")
    return Contraindication(options, table.source, tuple(table.visible), spans)


def kidney(table: KidneySection | None) -> KidneySpec | None:
    """Inputs of the kidney function formulas."""
    if table is None:
        return None
    return KidneySpec(tuple(table.creatinine), table.unit, tuple(table.female), tuple(table.weight))


def required_for_advice(table: ProfileSection, where: str) -> tuple[str, ...]:
    """Facts without which there is no advice: each belongs to a family."""
    for code in table.required_for_advice:
        if not any(has_prefix(code, family) for family in table.families):
            raise StudyError(
                unknown_name_message(
                    f"{where}: [profile] required_for_advice", code, table.families
                )
            )
    return tuple(table.required_for_advice)


def may_be_unknown(table: ProfileSection, where: str) -> tuple[str, ...]:
    """Needed facts that a form may state as not known: each is one of `required_for_advice`."""
    place = f"{where}: [profile] may_be_unknown"
    for code in table.may_be_unknown:
        if code not in table.required_for_advice:
            if not table.required_for_advice:
                raise StudyError(f"{place}: add {code!r} to `required_for_advice` too.")
            raise StudyError(unknown_name_message(place, code, table.required_for_advice))
    return tuple(table.may_be_unknown)


def standard_facts(table: ProfileSection, where: str) -> tuple[StandardFact, ...]:
    """Facts under standard codes: each fact belongs to a family, each number has a unit."""
    place = f"{where}: [[profile.standard]] fact"
    for entry in table.standard:
        if not any(has_prefix(entry.fact, family) for family in table.families):
            raise StudyError(unknown_name_message(place, entry.fact, table.families))
        if (entry.how == "number") != bool(entry.unit):
            mend = "remove `unit`" if entry.unit else 'add `unit`, such as "kg"'
            raise StudyError(f"{place} {entry.fact!r} is found as {entry.how!r}: {mend}.")
    return tuple(
        StandardFact(s.fact, tuple(s.sent_as), s.how, s.unit, s.within_days) for s in table.standard
    )


def formula(name: str, where: str) -> Formula:
    """A published formula by its name."""
    if name not in FORMULAS:
        raise StudyError(unknown_name_message(f"{where}: formula", name, list(FORMULAS)))
    return FORMULAS[name]


def split(table: SplitSection, where: str) -> Split:
    """Training, validation and test split."""
    if table.by == "time":
        if table.validation_from is None or table.test_from is None:
            raise StudyError(f"{where}: [split] by time needs `validation_from` and `test_from`.")
        if table.validation_from >= table.test_from:
            raise StudyError(f"{where}: [split] `validation_from` must be before `test_from`.")
        if table.train or table.validation or table.test or table.salt:
            raise StudyError(f"{where}: [split] by time has no shares and no salt; remove them.")
    elif table.validation_from or table.test_from:
        raise StudyError(f'{where}: [split] dates go with by = "time".')
    if table.by == "site" and not table.site:
        raise StudyError(
            f"{where}: [split] by site needs `site`, the codes whose number is the site."
        )
    shares = (table.train or 0.0, table.validation or 0.0, table.test or 0.0)
    if table.by in ("subject", "site") or (table.by == "file" and (any(shares) or table.salt)):
        if abs(sum(shares) - 1.0) > 1e-9 or min(shares) == 0:
            raise StudyError(
                f"{where}: [split] train, validation and test sum to {sum(shares):g}; make it 1."
            )
        if table.salt is None:
            raise StudyError(f"{where}: [split] needs `salt`, any text; it must never change.")
    return Split(
        *shares,
        table.salt or "",
        table.by,
        tuple(table.site),
        _days(table.validation_from),
        _days(table.test_from),
    )


def target(table: TargetSection, where: str) -> PredictionTarget:
    """A further outcome to predict."""
    if table.from_days >= table.within_days:
        raise StudyError(f"{where}: target {table.name}: `from_days` must be below `within_days`.")
    return PredictionTarget(
        table.name, tuple(table.codes), table.within_days, table.from_days, table.unit
    )


def time_to_event(table: TargetSection, where: str) -> PredictionTarget:
    """An event whose time from time zero is predicted."""
    if table.from_days or table.unit:
        raise StudyError(
            f"{where}: time_to_event {table.name}: its time starts at time zero and is in days; "
            "remove `from_days` and `unit`."
        )
    return target(table, where)


def names(table: dict[str, str], where: str) -> tuple[tuple[str, str], ...]:
    """Codes with their names in words."""
    for code, name in table.items():
        if "//" in name:
            raise StudyError(f"{where}: [names] `{code}` is {name!r}, a code; give it in words.")
    return tuple(table.items())


def ranges(tables: list[RangeSection], where: str) -> tuple[ValueRange, ...]:
    """Conditions on last numbers."""
    return tuple(ValueRange(tuple(t.codes), _bounds(t, where)) for t in tables)


def _bounds(table: BoundsSection | RangeSection, where: str) -> Bounds:
    low, high = table.at_least, table.at_most
    if low is None and high is None:
        raise StudyError(f"{where}: give at_least, at_most, or both.")
    if low is not None and high is not None and low > high:
        raise StudyError(f"{where}: {low:g} to {high:g} is empty; swap at_least and at_most.")
    return Bounds(low, high)


def _days(day: date | None) -> float | None:
    return None if day is None else float((day - _EPOCH).days)
