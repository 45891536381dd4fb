"""What can go wrong with a voice."""

from __future__ import annotations


class VoiceError(Exception):
    """A voice that cannot be set up, or a line that it cannot say; the message tells the way out."""
