"""What can go wrong, by who can mend it."""


class PosologyError(Exception):
    """Anything posology raises on purpose."""


class UserError(PosologyError, ValueError):
    """The caller can mend it; the text names the place, the value and the mend (exit code 2)."""


class StudyError(UserError):
    """A study file asks for what cannot be done."""


class RecordError(UserError):
    """Records or a patient's file cannot be read as they are."""

    def __init__(self, text: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.problems = problems
        """One sentence for each field, where several are wrong; they are all in the text."""

    def __reduce__(self) -> tuple[type, tuple[str, tuple[str, ...]]]:
        return type(self), (str(self), self.problems)


class ArtifactError(UserError):
    """A saved policy is damaged, foreign or of another format."""


def describe_install(extra: str) -> str:
    """How an extra is installed; no release is on PyPI (docs/install.md)."""
    return f'pip install ".[{extra}]" in a clone, "FILE.whl[{extra}]" with a wheel'
