"""`posology serve sign`, `make-keys`, `audit` and `erase`: for administrators."""

from pathlib import Path
from typing import Annotated, Any

import typer

from posology.cli.options import ModelFolder, writable_file, writable_folder
from posology.cli.serve.packages import require_packages
from posology.errors import UserError


def make_keys(
    out: Annotated[
        Path,
        typer.Option(
            help="Name of the pair: NAME.key and NAME.pub are written.", callback=writable_folder
        ),
    ],
) -> None:
    """Make a pair of Ed25519 keys: the private one signs models, services get the public one."""
    require_packages()
    from posology.cli.progress import CONSOLE
    from posology.service.models.signing import make_keys as make

    private, public = make(out)
    CONSOLE.print(f"Private key: {private} (keep it off the service's machine)")
    CONSOLE.print(f"Public key: {public} (name it in the service's trusted_keys)")


def sign(
    model: ModelFolder,
    key: Annotated[Path, typer.Option(help="The private key, as `make-keys` writes it.")],
    patient: Annotated[
        list[Path] | None,
        typer.Option(help="A filled-in form to keep as a golden patient; by default made-up ones."),
    ] = None,
) -> None:
    """Sign a model that you have reviewed, with golden patients whose answers it must repeat."""
    require_packages()
    from posology import artifact
    from posology.cli.progress import CONSOLE
    from posology.service.models.golden import make_golden
    from posology.service.models.signing import sign as sign_folder

    writable_folder(model)
    forms = [_read_form(path) for path in patient or []]
    sign_folder(model, key, make_golden(artifact.load(model), forms))
    CONSOLE.print(f"Signed: {model}")


def _read_form(path: Path) -> dict[str, Any]:
    from posology.workflows.patient import read_given

    form = read_given(path)
    if not isinstance(form, dict):
        raise UserError(
            f"{path}: holds records; a golden patient is a filled-in form, as `posology template` "
            "writes it."
        )
    return form


def make_token(
    issuer: Annotated[
        str, typer.Option(help="The `issuer` of the settings' [[cds_hooks.issuers]].")
    ],
    address: Annotated[
        str, typer.Option("--for", help="The exact address that is called; one token a call.")
    ],
    key: Annotated[
        Path, typer.Option(help="Private key of the calling system; made if there is none.")
    ] = Path("caller.pem"),
) -> None:
    """Print a token for one call of the service; its key set is written beside the key."""
    require_packages()
    from posology.service.tokens.signer import read_signer, write_key_set

    key_set = key.with_suffix(".jwks.json")
    writable_file(key_set)
    signer = read_signer(key, issuer, key.stem)
    write_key_set(signer, key_set)
    typer.echo(signer.token(address))


audit = typer.Typer(
    name="audit", help="Check and export the audit log of a service.", no_args_is_help=True
)
Folder = Annotated[Path, typer.Option(help="Folder of the service: its key and SQLite store.")]
Database = Annotated[str, typer.Option(help="SQLAlchemy address, if not SQLite in the folder.")]


@audit.command()
def verify(
    folder: Folder = Path("posology-service"),
    database: Database = "",
    head: Annotated[
        str, typer.Option(help="A hash noted before, which must still be in the log.")
    ] = "",
) -> None:
    """Recompute the whole chain; exit code 2 if a row was changed, removed or added."""
    require_packages()
    from posology.cli.progress import CONSOLE
    from posology.service.store.audit import check_head
    from posology.service.store.existing import existing_store

    with existing_store(folder, database) as store:
        check = store.read_now(check_head, store.key, head)
    if check.problem:
        raise UserError(f"audit log of {folder}: {check.problem}.")
    CONSOLE.print(f"Rows: {check.rows:,}, unchanged. Head, to note elsewhere: {check.head}")


@audit.command()
def export(
    out: Annotated[
        Path, typer.Option(help="NDJSON file of FHIR AuditEvents.", callback=writable_file)
    ],
    folder: Folder = Path("posology-service"),
    database: Database = "",
    after: Annotated[int, typer.Option(help="Only rows after this number.")] = 0,
) -> None:
    """Write the audit log as FHIR AuditEvent resources, one a line."""
    require_packages()
    from posology.cli.progress import CONSOLE
    from posology.records.io.drafts import draft_file
    from posology.service.store.audit_events import write_audit_events
    from posology.service.store.existing import existing_store

    with (
        existing_store(folder, database) as store,
        draft_file(out) as draft,
        draft.open("w", encoding="utf-8") as file,
    ):
        count = store.read_now(write_audit_events, file, after)
    CONSOLE.print(f"{count:,} AuditEvents: {out}")


def erase(
    days: Annotated[
        int, typer.Option(help="Erase what is older.", min=1, max=36_500, show_default=False)
    ],
    folder: Folder = Path("posology-service"),
    database: Database = "",
    yes: Annotated[bool, typer.Option("--yes", help="Erase; without it, only count.")] = False,
) -> None:
    """Erase patients' facts, texts of answers and comments; the service may run meanwhile.

    Counts, states, outcomes and the audit log stay.
    """
    require_packages()
    from posology.cli.progress import CONSOLE
    from posology.service.store.existing import existing_store
    from posology.service.store.retention import count_erasable, erase_patients

    with existing_store(folder, database) as store:
        if yes:
            found = store.write_now(erase_patients, store.key, days)
        else:
            found = store.read_now(count_erasable, days)
    verb = "Erased" if yes else "Would be erased"
    CONSOLE.print(f"{verb}: {found.words}, from before {found.before[:10]}.")
    if not yes and not found.is_empty:
        CONSOLE.print("Nothing is erased yet: the same command with --yes does.")
