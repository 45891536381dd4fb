"""The child process that renders lines: `python -m voicebot.speech.render_server`.

Synthesis takes a whole core and holds the GIL for long; here it holds nobody's but its own, at low priority.
First line in: the settings as JSON. Then one request per line, one answer each, in order:

    in   {"text": "您好", "speed": 1.0}
    out  {"bytes": 16000} and as many bytes of pcm16   |   {"error": "..."}

It ends when its input does, so it never outlives the program.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import BinaryIO

from voicebot.settings import Settings
from voicebot.speech.api import Voice
from voicebot.speech.tts import VoiceError, make_voice

NICENESS = 5


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    if not (first := requests.readline()):
        return
    settings = Settings.model_validate_json(first)
    voice: Voice | None = None
    for line in requests:
        request = json.loads(line)
        try:
            voice = voice or make_voice(settings)
            pcm16 = voice.render(request["text"], request["speed"])
        except Exception as e:  # a line that trips a library must not cost the next one its loaded voice
            _answer(answers, {"error": str(e) if isinstance(e, VoiceError) else f"{type(e).__name__}: {e}"})
        else:
            _answer(answers, {"bytes": len(pcm16)}, pcm16)


def _answer(answers: BinaryIO, header: dict[str, object], payload: bytes = b"") -> None:
    answers.write(json.dumps(header, ensure_ascii=False).encode() + b"\n" + payload)
    answers.flush()


def main() -> None:
    # Ctrl-C is the parent's to handle: it still needs lines to say goodbye.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not fall among the answers
    with contextlib.suppress(BrokenPipeError):  # the program has gone; so do we
        serve(sys.stdin.buffer, answers)
    os._exit(0)  # tearing the net down takes a second that nobody has use for


if __name__ == "__main__":
    main()
