"""Commands that read JSON Lines and answer each with one line: a bad line is reported by number, the others go on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from voicebot.cli.common import errors

M = TypeVar("M", bound=BaseModel)


def answer_lines(model: type[M], answer: Callable[[M], dict[str, Any]]) -> None:
    """Read stdin to its end. Exit code 2 when a line could not be answered; it gets {"id", "error"} in its place."""
    failed = 0
    for number, line in enumerate(sys.stdin, start=1):
        if not line.strip():
            continue
        told: dict[str, Any]
        identity: object = None
        try:
            data = json.loads(line)
            identity = data.get("id") if isinstance(data, dict) else None
            told = answer(model.model_validate(data))
        except ValidationError as e:
            first = e.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            told = {"id": identity, "error": f"{key}: {first['msg']}" if key else first["msg"]}
        except ValueError as e:
            told = {"id": identity, "error": str(e)}
        if "error" in told:
            failed += 1
            errors.print(f"[red]voicebot:[/red] line {number}: {told['error']}", highlight=False, soft_wrap=True)
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    if failed:
        raise typer.Exit(2)
