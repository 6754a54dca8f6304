"""`posology conform`: test any CDS Hooks 2.0 service from outside."""

import importlib.util
import json
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import writable_file, writable_inside
from posology.errors import UserError, describe_install
from posology.records.io.drafts import write_whole


def conform(
    url: Annotated[
        str, typer.Argument(help="The service's base URL, with or without /cds-services.")
    ] = "",
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the report to this file.", callback=writable_file),
    ] = None,
    html_file: Annotated[
        Path | None,
        typer.Option("--html", help="Write the report as a page.", callback=writable_file),
    ] = None,
    token_key: Annotated[
        Path | None,
        typer.Option(help="The tester's private key (--make-key); the service must allow it."),
    ] = None,
    issuer: Annotated[str, typer.Option(help="Issuer of the tester's tokens.")] = "",
    make_key: Annotated[
        Path | None,
        typer.Option(
            help="Make a key and its key set in this folder, and end.", callback=writable_inside
        ),
    ] = None,
    patient: Annotated[
        Path | None,
        typer.Option(
            help="A FHIR Bundle of one patient for whom it has advice, with a draft order."
        ),
    ] = None,
    fhir_server: Annotated[
        str,
        typer.Option(help="Address of this machine at which the tester serves the patient."),
    ] = "",
    origin: Annotated[
        str, typer.Option(help="A browser's client that the service should allow (CORS).")
    ] = "",
) -> None:
    """Test any CDS Hooks 2.0 service: every SHALL seen from outside, hostile calls, tokens, time.

    Exit code 1 where a SHALL failed. The patient is made up unless you give one; nothing is sent
    to any other address than URL.
    """
    _need_extra()
    if make_key is not None:
        _make_key(make_key)
        return
    if not url:
        raise UserError("URL is missing; give the base URL of the service.")
    from posology.cli.progress import show_progress
    from posology.conformance.calls.converse import Play
    from posology.conformance.calls.patient import made_up_patient, read_bundle
    from posology.conformance.calls.token_key import ISSUER, read_key
    from posology.conformance.examine import examine
    from posology.conformance.report.json import report_json
    from posology.conformance.report.page import report_page
    from posology.conformance.report.text import report_text

    play = Play(
        resources=made_up_patient() if patient is None else read_bundle(patient),
        key=None if token_key is None else read_key(token_key, issuer or ISSUER),
        fhir_server=fhir_server.rstrip("/"),
        origin=origin,
    )
    with show_progress("conform") as progress:
        examination = examine(url, play, progress)
    typer.echo(report_text(examination), nl=False)
    if json_file is not None:
        text = json.dumps(report_json(examination), indent=2)
        write_whole(json_file, text + "\n")
    if html_file is not None:
        write_whole(html_file, report_page(examination))
    if examination.faults:
        raise typer.Exit(1)


def _need_extra() -> None:
    """UserError where the extra `serve` is not installed."""
    for package in ("httpx", "cryptography"):
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"posology conform needs the package {package}; install the extra with: "
                f"{describe_install('serve')}"
            )


def _make_key(folder: Path) -> None:
    """Write the key, and say what the service's operator must allow."""
    from posology.conformance.calls.token_key import KEY_FILE, SET_FILE, make_key

    key = make_key(folder)
    typer.echo(
        f"Private key: {folder / KEY_FILE} (keep it; give it with --token-key)\n"
        f"Key set:     {folder / SET_FILE}\n"
        f"Issuer:      {key.issuer}\n"
        f"Key id:      {key.jwk['kid']}\n"
        "Allow this issuer with this key set in the service. The tokens name no jku; their "
        "audience\nis the URL of each endpoint."
    )
