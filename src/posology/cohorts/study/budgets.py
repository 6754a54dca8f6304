"""The tables `[[budgets]]` of a study file."""

from posology.cohorts.study.schema import BudgetSection, StudySection
from posology.domain.safety_rules.harm_budget import HarmBudget
from posology.errors import StudyError


def budgets(file: StudySection, where: str) -> tuple[HarmBudget, ...]:
    """The harm budgets; StudyError for a name used twice, or where no decision follows another."""
    tables: list[BudgetSection] = file.budgets
    names = [table.name for table in tables]
    for name in names:
        if names.count(name) > 1:
            raise StudyError(f"{where}: [[budgets]] {name}: the name is used twice; rename one.")
    if tables and file.decision.which in ("first", "sequential"):
        raise StudyError(
            f"{where}: [[budgets]] {names[0]}: budgets are for policies over many decisions, but "
            f'[decision] which is "{file.decision.which}"; remove the budgets or write "every".'
        )
    return tuple(
        HarmBudget(t.name, tuple(t.codes), t.at_most, t.per, t.within_days) for t in tables
    )
