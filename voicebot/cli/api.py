"""`voicebot api`: keys for the API, and its description."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from voicebot.cli.common import ConfigOption, console, fail, settings_or_fail, user_errors
from voicebot.store import open_store
from voicebot.store.keys import SCOPES

app = typer.Typer(help="The HTTP API's keys and description. It is served by: voicebot serve", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="api")


@app.command("create-key")
def create_key(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    scope: Annotated[list[str] | None, typer.Option("--scope", help="read, write, admin; read if none.")] = None,
    config: ConfigOption = None,
) -> None:
    """Make a key. It is shown this once and kept nowhere."""
    scopes = scope or ["read"]
    if unknown := sorted(set(scopes) - set(SCOPES)):
        fail(f"--scope {unknown[0]}: expected one of {', '.join(SCOPES)}")
    settings = settings_or_fail(config)
    with user_errors(), open_store(settings) as store:
        print(store.create_key(name, scopes))


@app.command("revoke-key")
def revoke_key(name: Annotated[str, typer.Argument(help="Whose key it is.")], config: ConfigOption = None) -> None:
    """From now on it opens nothing."""
    settings = settings_or_fail(config)
    with user_errors(), open_store(settings) as store:
        store.revoke_key(name)


@app.command()
def keys(config: ConfigOption = None) -> None:
    """Which keys there are."""
    settings = settings_or_fail(config)
    table = Table("名称", "权限", "有效")
    with user_errors(), open_store(settings) as store:
        for name, scopes, works in store.api_keys():
            table.add_row(name, ", ".join(scopes), "是" if works else "已吊销")
    console.print(table)


@app.command()
def openapi(config: ConfigOption = None) -> None:
    """The API's OpenAPI description, as JSON."""
    from voicebot.api.app import create_app

    settings = settings_or_fail(config)
    with user_errors(), open_store(settings) as store:
        print(json.dumps(create_app(store, settings).openapi(), ensure_ascii=False, indent=1))
