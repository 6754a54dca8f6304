"""Why a launch does not open a page."""

from posology.service.errors import ServiceError


class LaunchError(ServiceError):
    """The launch, the record system's answer, or who came with it cannot be trusted."""

    status = 403
    code = "launch_refused"
