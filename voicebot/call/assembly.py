"""Puts the pure parts of a call together: the same way for a live call, a typed chat and a replay."""

from __future__ import annotations

from functools import partial

from dialogue import manager
from dialogue.rules import make_understander
from dialogue.script import Script
from dialogue.understanding import Understander
from voicebot.call.core import CallBasis, CallCore
from voicebot.call.turns import Timing
from voicebot.settings import Settings


def timing_of(settings: Settings) -> Timing:
    """The reducer's waits from the settings."""
    t = settings.turns
    return Timing(
        complete_ms=t.complete_ms,
        likely_ms=t.likely_ms,
        open_ms=t.open_ms,
        hanging_ms=t.hanging_ms,
        duck_after_ms=t.duck_after_ms,
        stop_after_ms=t.stop_after_ms,
        hum_stop_after_ms=t.hum_stop_after_ms,
        max_turn_ms=t.max_turn_ms,
    )


def make_core(basis: CallBasis, script: Script, understander: Understander | None = None) -> CallCore:
    """A core at the moment before the customer's first word; without an understander the rules read what is meant."""
    understander = understander or make_understander()
    return CallCore(basis, manager.initial_state(script), partial(manager.step, script), understander)
