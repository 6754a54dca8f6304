"""Everything that `posology doctor` checks but the service."""

from collections.abc import Iterable
from pathlib import Path

from posology.workflows.doctor.check import Check, Checkup
from posology.workflows.doctor.files import check_files
from posology.workflows.doctor.machine import check_machine
from posology.workflows.doctor.packages import check_packages


def check_up(
    model: Path | None = None,
    study: str | None = None,
    events: Path | None = None,
    more: Iterable[Check] = (),
) -> Checkup:
    """Machine, packages, extras, and the files that are named.

    Args:
        more: checks of rooms above this one, such as the service's settings.
    """
    return Checkup(
        (
            *check_machine(Path()),
            *check_packages(),
            *check_files(model, study, events),
            *more,
        )
    )
