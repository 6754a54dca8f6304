"""Which version of each model answers now."""

import asyncio
import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from posology import artifact
from posology.artifact import Artifact
from posology.errors import ArtifactError, UserError
from posology.language.catalogue import tr
from posology.lifecycle.registry.state import is_registry, read_registry
from posology.lifecycle.registry.versions import VERSIONS, verify_version
from posology.service.errors import NotFoundError, StoppedError
from posology.service.models.golden import check_golden
from posology.service.models.signing import verify
from posology.service.settings import ModelSettings, Settings
from posology.service.store.served import Change
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
    """Models whose kill switch is on, with the reason in an administrator's words."""
    challengers: dict[str, ServedModel] = field(default_factory=dict)
    """Versions that answer silently beside a model: nobody is shown their answers."""
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a version is changed."""
    unsaved_stops: list[Change] = field(default_factory=list)
    """Stops that hold here and are not in the store yet."""
    begun: int = 0
    """Changes that were begun here."""
    ended: int = 0
    """Those of them that are in the store, or failed."""

    @contextmanager
    def change(self) -> Generator[None]:
        """A change from here: until it is stored, the store's older state must not undo it."""
        self.begun += 1
        try:
            yield
        finally:
            self.ended += 1

    def get(self, name: str) -> ServedModel:
        """The version that answers; NotFoundError or StoppedError."""
        if name in self.stopped:
            text = tr("The model {model} was stopped; it gives no answers.")
            raise StoppedError(text.format(model=name))
        return self.find(name)

    def find(self, name: str) -> ServedModel:
        """The version that answers, or would if it were not stopped; NotFoundError."""
        if name not in self.current:
            names = ", ".join(sorted(self.current))
            text = tr("No model has this name; the models are {models}.")
            raise NotFoundError(text.format(models=names))
        return self.current[name]

    def answering(self) -> tuple[ServedModel, ...]:
        """The versions that answer, without models that were stopped."""
        return tuple(one for name, one in self.current.items() if name not in self.stopped)

    @property
    def default(self) -> str:
        """Name of the first model: the one meant where a request names none."""
        return next(iter(self.current))


def find_versions(model: ModelSettings) -> dict[str, Path]:
    """Digest and folder of every version of the model, the newest last.

    Those of its challenger's folder come first: they are served only where they are named.
    """
    other = {} if model.challenger is None else versions_in(model.challenger)
    own = versions_in(model.folder)
    return {**{d: path for d, path in other.items() if d not in own}, **own}


def versions_in(folder: Path) -> dict[str, Path]:
    """Digest and folder of the saved policy, or of each one in the folder, the newest last.

    The folder may be a registry of versions.
    """
    folder = folder / VERSIONS if is_registry(folder) else folder
    folders = [folder]
    if not (folder / "policy.json").exists() and folder.is_dir():
        found = [path.parent for path in folder.glob("*/policy.json")]
        folders = sorted(found, key=lambda path: ((path / "policy.json").stat().st_mtime, path))
    versions = {}
    for path in folders:
        checksums = path / "checksums.json"
        if checksums.exists():
            versions[hashlib.sha256(checksums.read_bytes()).hexdigest()] = path
    return versions


def find_version(model: ModelSettings, version: str) -> Path:
    """The folder of the only version whose digest begins so; NotFoundError."""
    found = [path for digest, path in find_versions(model).items() if digest.startswith(version)]
    if not found:
        raise NotFoundError(
            f"no version of {model.name} has a digest that begins so; "
            f"GET /models/{model.name}/history lists those that answered."
        )
    if len(found) > 1:
        raise NotFoundError(
            f"{len(found)} versions of {model.name} have a digest that begins so; give more of one."
        )
    return found[0]


def choose_version(model: ModelSettings, last: str) -> Path:
    """The folder to serve: the version of the settings, the one served last, or the newest.

    Of a registry its champion.
    """
    if is_registry(model.folder):
        return _champion_of(model)
    versions = find_versions(model)
    if model.version:
        wanted = [path for digest, path in versions.items() if digest.startswith(model.version)]
        if len(wanted) != 1:
            raise UserError(
                f"model {model.name}: {len(wanted)} versions in {model.folder} begin with "
                f"{model.version}; write more of the digest of one that is there."
            )
        return wanted[0]
    if last in versions:
        return versions[last]
    own = versions_in(model.folder)
    return list(own.values())[-1] if own else model.folder


def _champion_of(model: ModelSettings) -> Path:
    registry = read_registry(model.folder)
    if model.version or model.challenger is not None:
        raise UserError(
            f"model {model.name}: {model.folder} is a registry, which names the version and the "
            "challenger itself; leave out version and challenger."
        )
    if not registry.champion:
        raise UserError(
            f"model {model.name}: {model.folder} has no champion yet; `posology models promote "
            f"{model.folder} VERSION` makes one."
        )
    return verify_version(model.folder, registry.champion)


def read_served_model(settings: Settings, name: str, folder: Path) -> ServedModel:
    """The version in this folder: its signature, its content and its golden patients checked."""
    loaded = artifact.load(folder)
    signed_by = ""
    try:
        signed_by = verify(folder, settings.trusted_keys)
        if not signed_by and not settings.allow_unsigned:
            raise ArtifactError(
                f"{folder}: is not signed. Review it, then `posology serve sign {folder} --key "
                "FILE` and name the public key in trusted_keys; or serve it with --allow-unsigned, "
                "which every page and answer then says."
            )
    except ArtifactError:
        if not settings.allow_unsigned:
            raise
    model = load_model(folder, loaded.digest)
    golden = check_golden(folder, model) if signed_by else 0
    return ServedModel(name, folder, model, signed_by, golden)
