"""What other services were seen to fail at, though no specification forbids it."""

from posology.conformance.statements.statement import Statement

_FEEDBACK = "the service has no feedback endpoint, or no card came with a uuid"


def _own(name: str, about: str, absent: str = "no service is offered") -> Statement:
    return Statement(f"own-{name}", "ADVICE", about, "posology", absent)


_TEMPLATE = "the service declares no prefetch"

ROWS = (
    _own("fields", "Fields that a service does not know are no error"),
    _own("extension", "An extension of the call, a JSON object, is no error"),
    _own("hook", "A call with another hook is refused (4xx)"),
    _own("bad-uuid", "A hookInstance that is no UUID is refused (4xx)"),
    _own("partial", "A call without hook, instance, context or patient is refused"),
    _own("not-json", "What is no JSON object is refused (4xx)"),
    _own("deep", "JSON nested 10,000 levels deep is refused (4xx)"),
    _own("huge", "A body of many megabytes is refused or answered, in 10 s"),
    _own("unknown", "An unknown service is 404"),
    _own("null", "A prefetch key of null is judged or 412", _TEMPLATE),
    _own("paged", "A first page of a search is judged or 412", _TEMPLATE),
    _own("damaged", "A damaged prefetch is refused, not a crash", _TEMPLATE),
    _own("patient", "Data of another patient bring no card", _TEMPLATE),
    _own("errors", "An error has a JSON body (OperationOutcome)", "no error came"),
    _own("html", "Cards hold no HTML", "no card came"),
    _own("burst", "Eight calls at once are all answered"),
    _own("card-uuid", "Cards have a uuid, without which there is no feedback", "no card came"),
    _own("feedback", "Feedback on a card is taken", _FEEDBACK),
    _own("twice", "The same feedback twice is no error", _FEEDBACK),
)
