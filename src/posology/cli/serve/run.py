"""`posology serve`: recommendations for clinicians and other systems, over HTTP."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posology.cli.serve.packages import require_packages
from posology.errors import UserError

_DEMO_FOLDER = "posology-serve-demo"

if TYPE_CHECKING:
    from posology.service.settings import Settings


def run(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="A policy's folder, or a registry, whose champion is served and whose challenger "
            "answers silently; or name models in --settings."
        ),
    ] = None,
    challenger: Annotated[
        Path | None,
        typer.Option(
            help="A policy's folder: it answers silently beside MODEL, and nobody is shown it."
        ),
    ] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file of the service's settings.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of the store and the service's key.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that answer; 0: threads of this process.")
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option(
            help="Language of pages and answers, en or de; given again, a further one that "
            "browsers may ask for."
        ),
    ] = None,
    allow_unsigned: Annotated[
        bool,
        typer.Option(
            "--allow-unsigned", help="Serve a model without signature; every page says so."
        ),
    ] = False,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help="With patients to try, and a model if none is named; opens the browser."
        ),
    ] = False,
) -> None:
    """Serve a model: pages for clinicians, CDS Hooks and an API for other systems."""
    require_packages()
    if demo and model is None and settings_file is None:
        model = _demo_model(folder or Path(_DEMO_FOLDER), host, port)
    typer.echo("Loading the service, which takes some seconds.", err=True)
    from posology.service.server import run_server

    settings = _settings(model, settings_file)
    if challenger is not None and settings.models:  # of the first model, which is MODEL
        first = replace(settings.models[0], challenger=challenger)
        settings = replace(settings, models=(first, *settings.models[1:]))
    if demo:
        settings = replace(
            settings, is_demo=True, allow_unsigned=True, folder=folder or Path(_DEMO_FOLDER)
        )
    changed = {"folder": folder, "host": host, "port": port, "workers": workers}
    settings = replace(settings, **{k: v for k, v in changed.items() if v is not None})
    if allow_unsigned:
        settings = replace(settings, allow_unsigned=True)
    if language:
        settings = replace(settings, languages=tuple(language))
    run_server(settings, opens_browser=demo)


def _demo_model(folder: Path, host: str | None, port: int | None) -> Path:
    from posology.service.ranges import check_address
    from posology.service.settings import Settings

    usual = Settings(models=())
    check_address(host or usual.host, usual.port if port is None else port)
    typer.echo(
        "A model for the demonstration, which the first start fits in about half a minute.",
        err=True,
    )
    from posology.cli.progress import show_progress, use_one_thread
    from posology.service.demo.model import demo_model

    use_one_thread()
    with show_progress("a model for the demonstration") as progress:
        return demo_model(folder / "models", progress)


def _settings(model: Path | None, settings_file: Path | None) -> "Settings":
    from posology.service.settings import ModelSettings, Settings, read_settings

    if settings_file is not None:
        settings = read_settings(settings_file)
        if model is None:
            return settings
        return replace(settings, models=(ModelSettings(model.name, model), *settings.models))
    if model is None:
        raise UserError("posology serve: name a model's folder, or models in --settings FILE.")
    return Settings(models=(ModelSettings(model.resolve().name, model),))
