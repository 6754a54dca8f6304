"""Settings of the service: safe by default, written in one TOML file, checked strictly."""

import dataclasses
import difflib
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from posology.errors import UserError
from posology.language.catalogue import ENGLISH
from posology.service.cds_hooks.settings import CdsHooksSettings
from posology.service.smart.settings import SmartSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """One model that is served."""

    name: str
    """Name in addresses, such as `warfarin`."""
    folder: Path
    """A saved policy; a folder of saved policies, its versions, of which `version` is served; or a
    registry (`posology models`), which says itself what is served."""
    version: str = ""
    """First characters of the digest of the version; the newest folder if empty."""
    challenger: Path | None = None
    """A saved policy that answers silently beside the one served, or a folder of them, of which it
    is the newest; None: none, until an administrator sets one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost."""

    body: int = 4 << 20
    """Bytes of a request's body."""
    depth: int = 64
    """Levels of objects and lists in a JSON body."""
    seconds: float = 10.0
    """Time until a request is refused with 503."""
    waiting: int = 64
    """Questions that may wait for a worker; further ones are refused with 429."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days what was stored is kept; 0 keeps it."""

    patients: int = 0
    """Days until the facts of the patient and the recommendation's text are erased."""


@dataclass(frozen=True, slots=True)
class OpenIdSettings:
    """The hospital's provider."""

    issuer: str
    client_id: str
    client_secret_file: Path | None = None
    """File with the client's secret; None for a public client."""
    scope: str = "openid profile"
    name_claim: str = "name"
    """Claim with the name that pages show."""
    roles_claim: str = "groups"
    """Claim with the person's groups."""
    roles: dict[str, str] = field(default_factory=dict)
    """Of each group of the provider, the role here: `clinician`, `data_scientist` or
    `administrator`. Who has none of these groups is refused."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the service can be set to."""

    models: tuple[ModelSettings, ...]
    folder: Path = Path("posology-service")
    """Holds the service's key, and its store if that is SQLite."""
    database: str = ""
    """SQLAlchemy address; empty: SQLite in the folder."""
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    """Address that callers use, `https://posology.hospital.example`; empty: host and port."""
    workers: int = 0
    """Processes that answer; 0 answers in threads of this process."""
    threads: int = 2
    """Threads that answer where there are no worker processes."""
    is_demo: bool = False
    """Every page and answer says that it is a demonstration."""
    allow_unsigned: bool = False
    """Serve models without a trusted signature; every page and answer says so."""
    trusted_keys: tuple[Path, ...] = ()
    """Public keys (PEM, Ed25519) whose signatures of models are trusted."""
    sign_in: bool = True
    """People sign in; only a demonstration on loopback may switch it off."""
    store_patient_ids: bool = False
    """Store callers' ids of patients as they are; otherwise only a keyed hash of them."""
    metrics_token: str = ""
    """Bearer token for /metrics; without one only this machine may read them."""
    cds_hooks: CdsHooksSettings = field(default_factory=CdsHooksSettings)
    """Record systems that call by CDS Hooks, and other systems with tokens."""
    ehr_services: tuple[str, ...] = ()
    """Base addresses of other services that a demonstration's record system may call."""
    smart: SmartSettings = field(default_factory=SmartSettings)
    """Record systems that open pages by SMART App Launch."""
    openid: OpenIdSettings | None = None
    """Where people sign in; None: by one-time links alone."""
    limits: Limits = field(default_factory=Limits)
    retention: Retention = field(default_factory=Retention)
    languages: tuple[str, ...] = (ENGLISH,)
    """Of pages, cards and answers: the first, unless the reader's browser or record system asks for
    another of them. Each answer is made and kept in all of them, and in English."""

    @property
    def url(self) -> str:
        """Address that callers use, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


def read_settings(path: Path) -> Settings:
    """The settings of a TOML file; UserError names the key that is unknown or wrong."""
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such file of settings.") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as TOML ({error}).") from error
    return read_section(Settings, body, str(path))


def read_section(kind: type[T], body: object, place: str) -> T:
    """A frozen dataclass of a TOML table; UserError for unknown keys and values of other types."""
    if not isinstance(body, dict):
        raise UserError(f"{place}: is {body!r}; write a table of keys and values.")
    known = {f.name: f for f in dataclasses.fields(typing.cast(Any, kind))}
    hints = typing.get_type_hints(kind)
    values = {}
    for name, value in body.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"it knows {', '.join(sorted(known))}."
            raise UserError(f"{place}: unknown key {name}; {hint}")
        values[name] = _read_value(hints[name], value, f"{place}, {name}")
    missing = [f.name for f in known.values() if f.name not in values and _is_required(f)]
    if missing:
        raise UserError(f"{place}: lacks {', '.join(missing)}.")
    return kind(**values)


def _is_required(item: "dataclasses.Field[Any]") -> bool:
    missing = dataclasses.MISSING
    return item.default is missing and item.default_factory is missing


def _read_value(hint: Any, value: object, place: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return _read_value(next(a for a in args if a is not type(None)), value, place)
    if origin is tuple and isinstance(value, list):
        return tuple(_read_value(args[0], v, f"{place}[{i}]") for i, v in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {k: _read_value(args[1], v, f"{place}.{k}") for k, v in value.items()}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return read_section(hint, value, place)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    is_wanted = isinstance(hint, type) and isinstance(value, hint)
    if not is_wanted or (isinstance(value, bool) and hint is not bool):
        wanted = getattr(origin or hint, "__name__", str(hint))
        raise UserError(f"{place}: is {value!r}; write a value of type {wanted}.")
    return value
