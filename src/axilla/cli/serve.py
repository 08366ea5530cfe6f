"""`axilla serve`: the study in a browser."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from axilla import RESEARCH_USE_ONLY
from axilla.cli.console import err, out, reporting, study_folder
from axilla.records.errors import ConfigError, Problem

_MISSING = "pip install 'axilla[web]'"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("serve")(serve)


def serve(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Study folder.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8765,
    database: Annotated[
        str,
        typer.Option(
            envvar="AXILLA_DATABASE",
            help="postgresql://USER:PASSWORD@HOST/NAME; default: web.db in the study folder.",
            show_envvar=True,
        ),
    ] = "",
    bundle: Annotated[
        Path | None, typer.Option(help="Bundle that predicts; default: the study's own.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM file of the server's certificate, for HTTPS.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's key.")] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(help="Address of a proxy that speaks HTTPS for us; may be repeated."),
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="Host name that browsers use; may be repeated.")
    ] = None,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="Serve a network without encryption, knowingly.")
    ] = False,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="No accounts; only on this machine's own address.")
    ] = False,
) -> None:
    """Serve a study to browsers: annotate, review, predict, read, see results.

    Example: `axilla serve my-study --host 0.0.0.0 --certificate cert.pem --key key.pem`
    """
    with reporting():
        try:
            from axilla.web.core.settings import ServeSettings  # noqa: PLC0415
            from axilla.web.server import serve as listen  # noqa: PLC0415 - a second to import
        except ModuleNotFoundError as error:
            found = f"no package {error.name}"
            raise ConfigError(Problem("axilla serve", found, "the web's", _MISSING)) from error
        settings = ServeSettings(
            study_folder(folder),
            host=host,
            port=port,
            database=database,
            no_auth=no_auth,
            certificate=certificate,
            key=key,
            proxy=tuple(proxy or ()),
            names=tuple(name or ()),
            plain_http=plain_http,
            bundle=bundle,
        )
        listen(settings, announce=_announce)


def _announce(address: str, first: str | None) -> None:
    out.print(f"Serving on {escape(address)} (stop with Ctrl+C)")
    if first is not None:
        out.print("Nobody has an account yet. Make the first one, which leads the study, here:")
        out.print(escape(first))
    err.print(RESEARCH_USE_ONLY)
