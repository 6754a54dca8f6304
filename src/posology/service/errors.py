"""Why the service does not answer: each has a status, a code for programs, and a mend."""

from posology.errors import PosologyError


class ServiceError(PosologyError):
    """A request is refused; the text says why and what would help, and names no patient."""

    status = 500
    code = "error"


class BusyError(ServiceError):
    """Too many questions wait."""

    status = 429
    code = "busy"
    retry_after = 1
    """Seconds."""


class TimedOutError(ServiceError):
    """The answer was not made within the time allowed."""

    status = 503
    code = "took_too_long"
    retry_after = 2


class StoppedError(ServiceError):
    """The kill switch of the model is on."""

    status = 503
    code = "model_stopped"
    retry_after = 60


class NotReadyError(ServiceError):
    """The service starts or ends."""

    status = 503
    code = "not_ready"
    retry_after = 5


class StoreAwayError(ServiceError):
    """The database does not answer."""

    status = 503
    code = "store_away"
    retry_after = 5


class NotFoundError(ServiceError):
    """No such model, answer or page."""

    status = 404
    code = "not_found"


class BadRequestError(ServiceError):
    """The request cannot be understood."""

    status = 400
    code = "bad_request"


class UnusableError(ServiceError):
    """The request is understood, and its patient cannot be judged from what it holds."""

    status = 422
    code = "unusable"

    def __init__(self, text: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.problems = problems
        """One sentence for each field that is wrong, where that is known."""


class TooLargeError(ServiceError):
    """The body is larger or deeper than the limits allow."""

    status = 413
    code = "too_large"


class NotSignedInError(ServiceError):
    """Nobody known sent the request."""

    status = 401
    code = "not_signed_in"


class NotAllowedError(ServiceError):
    """The caller is known and has not the role that this needs."""

    status = 403
    code = "not_allowed"


class ConflictError(ServiceError):
    """The state of the service does not allow it now."""

    status = 409
    code = "conflict"
