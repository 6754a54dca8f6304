"""Why a token is refused: one word for the log, never the token or a part of it."""

from posology.errors import PosologyError


class TokenError(PosologyError):
    """The caller is not known. `reason` is for the log; the caller learns only that it is so."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the token is refused: {reason}")
        self.reason = reason
