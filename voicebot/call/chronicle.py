"""What stays of a call? Its recording, its event log, the words and where they lie, what went wrong.

Also the one who tells whoever watches. A disk that fills up ends the recording or the log, never the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from telephony import MediaFrame
from voicebot.call.codec import CodecError
from voicebot.call.eventlog import EventLog, Kind, LogError
from voicebot.call.news import News, Observer
from voicebot.call.recording import Recording, RecordingError
from voicebot.speech.api import FRAME_SAMPLES, RATE_HZ

RECORDING = "recording.wav"
LOG = "events.jsonl"


@dataclass(frozen=True, slots=True)
class Span:
    """Words of the customer and where they lie in the recording: samples at 8 kHz, from inclusive, to exclusive."""

    from_sample: int
    to_sample: int
    text: str


class Chronicle:
    """Kept by the thread that owns the call's frames; only `secure` may run on another."""

    def __init__(self, call_id: str, case_id: str, folder: Path, observer: Observer) -> None:
        self.call_id = call_id
        self.at = 0  # the call's sample clock
        self.recording_path = folder / RECORDING
        self.log_path = folder / LOG
        self.troubles: list[str] = []
        self.response_ms: list[int] = []
        self._case_id = case_id
        self._observer = observer
        self._words: dict[int, Span] = {}
        self._recorder: Recording | None = Recording.open(self.recording_path)
        self._log: EventLog | None = EventLog.open(self.log_path)

    # ---- while the call lasts ----

    def record(self, frame: MediaFrame) -> None:
        """The next 20 ms of both sides; what was played to the customer is, while bridged, the seat's voice."""
        self.at += FRAME_SAMPLES
        if self._recorder is None:
            return
        try:
            self._recorder.write(frame.rx, frame.tx)
        except RecordingError as e:
            self._recorder = None
            self.trouble(f"recording stopped: {e}")

    def log(self, kind: Kind, value: object) -> None:
        if self._log is None:
            return
        try:
            self._log.append(self.at, kind, value)
        except (LogError, CodecError) as e:
            self._log = None
            self.trouble(f"event log stopped: {e}")

    def said(self) -> list[str]:
        """The customer's words, turn by turn."""
        return [self._words[turn].text for turn in sorted(self._words)]

    def keep_words(self, turn: int, span: Span) -> None:
        """What the customer said in a turn, as the dialogue counts them."""
        self._words[turn] = span

    def words(self, turn: int) -> Span:
        """Empty for a turn that nobody said."""
        return self._words.get(turn, Span(0, 0, ""))

    def trouble(self, what: str) -> None:
        """Something went wrong that the call survives: kept with the call and shown."""
        self.troubles.append(what)
        self.tell("trouble", what)

    def tell(
        self, kind: str, text: str = "", *, acts: tuple[str, ...] = (), detail: str = "", response_ms: int | None = None
    ) -> None:
        at_s = round(self.at / RATE_HZ, 2)
        self._observer(News(self.call_id, kind, self._case_id, at_s, text, acts, detail, response_ms))

    # ---- proof ----

    def flush(self) -> None:
        """Everything recorded so far is the operating system's. Raises RecordingError when there is no recording."""
        if self._recorder is None:
            raise RecordingError("the recording that would prove it has stopped")
        self._recorder.flush()

    def secure(self) -> None:
        """What was flushed and logged is on the disk. Blocks: call it on a thread. Raises RecordingError, LogError."""
        if self._log is not None:
            self._log.sync()
        Recording.sync_file(self.recording_path)

    def close(self) -> None:
        for resource in (self._recorder, self._log):
            try:
                if resource is not None:
                    resource.close()
            except (RecordingError, LogError) as e:
                self.troubles.append(str(e))
