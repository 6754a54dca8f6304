"""Who calls: people and systems. `require_person` and `require_system` guard every route."""

from posology.service.identity.callers import (
    ADMINISTRATOR,
    CLINICIAN,
    DATA_SCIENTIST,
    ROLES,
    Caller,
    require_caller,
    require_person,
    require_system,
)

__all__ = [
    "ADMINISTRATOR",
    "CLINICIAN",
    "DATA_SCIENTIST",
    "ROLES",
    "Caller",
    "require_caller",
    "require_person",
    "require_system",
]
