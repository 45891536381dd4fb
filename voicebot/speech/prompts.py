"""Is this line rendered already, and if not, who renders it and when?

Lines are kept in memory and on disk, keyed by voice, speed and the text as it is said. What is missing is rendered in
a child process, urgent lines before prefetched ones, each line once however many ask for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import heapq
import itertools
import json
import logging
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from voicebot.settings import Settings
from voicebot.speech.normalise import for_speech
from voicebot.speech.prompt_files import PromptFiles
from voicebot.speech.tts import VoiceError, make_voice
from voicebot.speech.tts.recordings import Recordings

log = logging.getLogger(__name__)

MEMORY_MB = 64
RENDER_TIMEOUT_S = 180.0  # loading on a busy machine included; then the child is taken for stuck and replaced
RENDER_SERVER = (sys.executable, "-m", "voicebot.speech.render_server")
_URGENT, _PREFETCH = 0, 1


class Renderer(Protocol):
    """Whatever renders one line at a time, off the event loop's thread."""

    async def render(self, text: str, speed: float) -> bytes: ...

    async def close(self) -> None: ...


class RenderProcess:
    """The render server as a child of this program: started with the first line, restarted when it dies.

    A line that ends the child twice raises VoiceError, as does one that the voice refuses.
    """

    def __init__(self, settings: Settings, command: Sequence[str] = RENDER_SERVER) -> None:
        self._settings, self._command = settings, tuple(command)
        self._child: asyncio.subprocess.Process | None = None

    async def render(self, text: str, speed: float) -> bytes:
        for attempt in (1, 2):
            try:
                return await asyncio.wait_for(self._ask(text, speed), RENDER_TIMEOUT_S)
            except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as e:
                await self._kill()
                if attempt == 2:
                    raise VoiceError(f"the render process ended twice over {text!r} ({type(e).__name__})") from e
                log.warning("the render process ended over %r; starting another", text)
            except VoiceError:
                raise
            except BaseException:
                await self._kill()
                raise
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """End the child; it goes by itself once its input is closed."""
        if self._child is None:
            return
        assert self._child.stdin
        self._child.stdin.close()
        try:
            await asyncio.wait_for(self._child.wait(), 1.0)
            self._child = None
        except TimeoutError:
            await self._kill()
        except asyncio.CancelledError:
            await self._kill()  # a child left behind would outlive the event loop that watches it
            raise

    async def _ask(self, text: str, speed: float) -> bytes:
        child = self._child or await self._start()
        assert child.stdin and child.stdout
        child.stdin.write(json.dumps({"text": text, "speed": speed}, ensure_ascii=False).encode() + b"\n")
        await child.stdin.drain()
        header = json.loads(await child.stdout.readuntil(b"\n"))
        if "error" in header:
            raise VoiceError(header["error"])
        return await child.stdout.readexactly(header["bytes"])

    async def _start(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        self._child = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        assert self._child.stdin
        self._child.stdin.write(self._settings.model_dump_json().encode() + b"\n")
        return self._child

    async def _kill(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


class PromptCache:
    """Rendered lines of one voice. Belongs to one event loop; `async with` ends its children.

    `workers`: how many children may render at once; all but one end when nothing is left to do.
    """

    def __init__(
        self,
        voice_name: str,
        folder: Path,
        max_mb: int,
        start_renderer: Callable[[], Renderer],
        *,
        speed: float = 1.0,
        workers: int = 1,
        recordings: Recordings | None = None,
    ) -> None:
        self._voice_name, self._speed, self._recordings = voice_name, speed, recordings
        self._files = PromptFiles(folder, max_mb)
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._memory_bytes = 0
        self._start_renderer, self._workers = start_renderer, workers
        self._wanted: dict[str, tuple[str, asyncio.Future[bytes]]] = {}
        self._queue: list[tuple[int, int, str]] = []
        self._order = itertools.count()
        self._rendering: set[str] = set()
        self._pumping = 0
        self._pumps: set[asyncio.Task[None]] = set()
        self._resting: list[Renderer] = []

    async def __aenter__(self) -> PromptCache:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give up what is still being rendered and end the children."""
        for pump in list(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        for _, future in self._wanted.values():
            future.cancel()
        self._wanted.clear()
        for renderer in self._resting:
            await renderer.close()
        self._resting.clear()

    def key(self, text: str) -> str:
        """The name of a line: two spellings that are said alike share it."""
        return hashlib.sha256(f"{self._voice_name}\0{self._speed:.3f}\0{for_speech(text)}".encode()).hexdigest()

    def get(self, text: str) -> bytes | None:
        """The line as pcm16 if it is at hand (memory, recordings, disk), at once; else None."""
        return self._at_hand(text, self.key(text))

    async def render(self, text: str, *, urgent: bool = True) -> bytes:
        """The line as pcm16, rendered now if need be; urgent lines go before prefetched ones.

        Raises VoiceError when the voice cannot say it.
        """
        key = self.key(text)
        if (ready := self._at_hand(text, key)) is not None:
            return ready
        if key not in self._wanted:
            self._wanted[key] = (text, asyncio.get_running_loop().create_future())
            heapq.heappush(self._queue, (_URGENT if urgent else _PREFETCH, next(self._order), key))
        elif urgent:
            heapq.heappush(self._queue, (_URGENT, next(self._order), key))
        future = self._wanted[key][1]
        self._start_pumps()
        return await asyncio.shield(future)

    async def prefetch(self, texts: Iterable[str], progress: Callable[[int, int], None] | None = None) -> int:
        """Render what is not at hand, behind anything urgent; `progress(done, total)`. Returns how many were rendered.

        One line that fails does not stop the others; at the end VoiceError names the first.
        """
        lines = list(dict.fromkeys(texts))
        missing = [line for line in lines if self.get(line) is None]
        done = len(lines) - len(missing)
        if progress:
            progress(done, len(lines))
        failures: list[VoiceError] = []

        async def one(line: str) -> None:
            nonlocal done
            try:
                await self.render(line, urgent=False)
            except VoiceError as e:
                failures.append(e)
            done += 1
            if progress:
                progress(done, len(lines))

        await asyncio.gather(*map(one, missing))
        if failures:
            raise VoiceError(f"{len(failures)} of {len(lines)} lines could not be rendered; the first: {failures[0]}")
        return len(missing)

    def _at_hand(self, text: str, key: str) -> bytes | None:
        if (pcm16 := self._memory.get(key)) is not None:
            self._memory.move_to_end(key)
            return pcm16
        if self._recordings is not None and (pcm16 := self._recordings.find(text)) is not None:
            return pcm16
        if (pcm16 := self._files.read(key)) is not None:
            self._remember(key, pcm16)
        return pcm16

    def _remember(self, key: str, pcm16: bytes) -> None:
        self._memory_bytes += len(pcm16) - len(self._memory.pop(key, b""))
        self._memory[key] = pcm16
        while self._memory_bytes > MEMORY_MB * 1_000_000 and len(self._memory) > 1:
            self._memory_bytes -= len(self._memory.popitem(last=False)[1])

    def _start_pumps(self) -> None:
        while self._pumping < min(self._workers, len(self._wanted)):
            self._pumping += 1
            pump = asyncio.create_task(self._pump())
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self) -> None:
        renderer = self._resting.pop() if self._resting else self._start_renderer()
        try:
            while self._queue:
                _, _, key = heapq.heappop(self._queue)
                if key in self._wanted and key not in self._rendering:
                    await self._render_one(renderer, key)
        except BaseException:
            self._pumping -= 1
            await renderer.close()
            raise
        self._pumping -= 1
        if self._resting:
            await renderer.close()
        else:
            self._resting.append(renderer)

    async def _render_one(self, renderer: Renderer, key: str) -> None:
        text, future = self._wanted[key]
        self._rendering.add(key)
        try:
            pcm16 = await renderer.render(text, self._speed)
        except VoiceError as e:
            if not future.done():
                future.set_exception(e)
                future.exception()  # a prefetch that nobody waits for any more is not worth asyncio's warning
        else:
            self._remember(key, pcm16)
            note = {"voice": self._voice_name, "speed": f"{self._speed:.3f}", "text": text}
            await asyncio.to_thread(self._files.write, key, pcm16, note)
            if not future.done():
                future.set_result(pcm16)
        finally:
            self._rendering.discard(key)
            self._wanted.pop(key, None)
            future.cancel()


def make_prompts(settings: Settings, *, workers: int = 1, folder: Path | None = None) -> PromptCache:
    """The prompt cache that the settings describe, under the data home unless `folder` says otherwise.

    Raises VoiceError when the voice cannot be set up.
    """
    speech = settings.speech
    return PromptCache(
        make_voice(settings).name,
        folder or settings.data_home / "cache" / "prompts",
        speech.cache_mb,
        lambda: RenderProcess(settings),
        speed=speech.speed,
        workers=workers,
        recordings=Recordings(speech.recordings) if speech.recordings else None,
    )
