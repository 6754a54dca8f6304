"""Which version of each model answers now."""

from dataclasses import dataclass, field
from pathlib import Path

from posology.artifact import Artifact
from posology.errors import UserError
from posology.service.errors import NotFoundError, StoppedError
from posology.service.settings import ModelSettings
from posology.service.work import load_model


@dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """One version of one model, ready to answer."""

    name: str
    folder: Path
    artifact: Artifact
    signed_by: str = ""
    """Name of the trusted key that signed it; empty if it is not signed."""
    golden: int = 0
    """Golden patients that it answered bit for bit."""

    @property
    def digest(self) -> str:
        """Version of the saved policy."""
        return self.artifact.digest


@dataclass(slots=True)
class ServedModels:
    """Every model by its name. Changed only in the event loop."""

    current: dict[str, ServedModel] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    """Models whose kill switch is on, with the reason in words."""

    def get(self, name: str) -> ServedModel:
        """The version that answers; NotFoundError or StoppedError."""
        if name not in self.current:
            raise NotFoundError(
                f"No model has this name; models: {', '.join(sorted(self.current))}."
            )
        if name in self.stopped:
            raise StoppedError(f"The model {name} was stopped by an administrator.")
        return self.current[name]

    def answering(self) -> tuple[ServedModel, ...]:
        """The versions that answer, without models that were stopped."""
        return tuple(one for name, one in self.current.items() if name not in self.stopped)

    @property
    def default(self) -> str:
        """Name of the first model: the one meant where a request names none."""
        return next(iter(self.current))


def read_served_model(settings: ModelSettings) -> ServedModel:
    """The model of the settings, loaded."""
    from posology import artifact

    loaded = artifact.load(settings.folder)
    if settings.version and not loaded.digest.startswith(settings.version):
        raise UserError(
            f"model {settings.name}: {settings.folder} is version {loaded.digest[:12]}, not "
            f"{settings.version}."
        )
    return ServedModel(settings.name, settings.folder, load_model(settings.folder, loaded.digest))
