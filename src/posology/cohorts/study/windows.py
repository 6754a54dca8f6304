"""Checks between the tables of a study file: windows against the landmark of a grace period."""

from posology.domain.study import Study
from posology.errors import StudyError


def check_windows(study: Study, where: str) -> None:
    """Raise StudyError if a window closes by the landmark, so that nothing could be seen in it."""
    days = study.assignment.landmark_days
    if not days:
        return
    windows = [("[outcome]", study.outcome.within_days)]
    windows += [
        ("[reward] costs of " + " or ".join(cost.codes), cost.within_days)
        for cost in study.reward.costs
    ]
    windows += [(f"[[budgets]] {b.name}:", b.within_days) for b in study.budgets]
    targets = (*study.diagnosis, *study.progression, *study.time_to_event)
    windows += [(f"target {target.name}:", target.within_days) for target in targets]
    for place, within in windows:
        if within <= days:
            raise StudyError(
                f"{where}: {place} `within_days` is {within:g}, but with [given] grace_days = "
                f"{days:g} outcomes count from day {days:g} on, the landmark; shorten "
                "`grace_days` or lengthen `within_days`."
            )
