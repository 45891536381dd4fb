"""Speak the lines before they are needed: renders what the prompt cache lacks, with a progress bar."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from voicebot.cli.common import console
from voicebot.settings import Settings
from voicebot.speech.prompts import make_prompts

RENDERERS = 2


def prepare_voice(settings: Settings, clauses: Sequence[str], label: str = "准备话术语音") -> None:
    """Blocks until every clause can be spoken at once."""
    asyncio.run(_prepare(settings, clauses, label))


async def _prepare(settings: Settings, clauses: Sequence[str], label: str) -> None:
    async with make_prompts(settings, workers=RENDERERS) as prompts:
        missing = [c for c in dict.fromkeys(clauses) if prompts.get(c) is None]
        if not missing:
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(label, total=len(missing))
            await prompts.prefetch(missing, progress=lambda done, total: progress.update(task, completed=done))
