"""What is a simulated debtor told to do, and where in its file is the mistake?

A persona is one YAML file. `load_persona` reads it; every mistake is a PersonaError that names file, line and key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

VOICES = (
    "zf_xiaobei",
    "zf_xiaoni",
    "zf_xiaoxiao",
    "zf_xiaoyi",
    "zm_yunjian",
    "zm_yunxi",
    "zm_yunxia",
    "zm_yunyang",
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MAX_PAUSE_MS = 10_000

_PAUSE = re.compile(r"\[(\d+)\]")
_ALWAYS = 1_000_000


class PersonaError(ValueError):
    """A persona file that cannot be used; the message names file, line and key."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _repeat(value: Any) -> Any:
    return _ALWAYS if value == "always" else value


class Line(_Part):
    """One thing that the persona does, and what it waits for.

    `hears` is a regular expression over what the robot said last, as the debtor's own ears understood it; `any` fits
    everything. `nth`: only from the nth fitting utterance on. `repeat`: how often the line may be used. A line with
    `barge_in_after_ms` starts that long after the robot STARTED an utterance; its `hears` is about the utterance
    before. `backchannel` marks a 嗯 that does not claim the floor. `silent`: hear it, and deliberately say nothing.
    """

    hears: str = "any"
    nth: int | None = Field(default=None, ge=1)
    say: str | None = None
    play: Path | None = None
    delay_ms: int = Field(default=350, ge=0, le=60_000)
    barge_in_after_ms: int | None = Field(default=None, ge=0, le=60_000)
    backchannel: bool = False
    dtmf: str | None = Field(default=None, pattern=r"^[0-9A-D*#]+$")
    hang_up: bool = False
    hang_up_after_ms: int | None = Field(default=None, ge=0, le=60_000)
    repeat: Annotated[int, BeforeValidator(_repeat), Field(ge=1)] = 1
    silent: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Line:
        try:
            re.compile(self.hears)
        except re.error as e:
            raise ValueError(f"hears: {self.hears!r} is not a regular expression: {e}") from e
        if self.say is not None and self.play is not None:
            raise ValueError("say and play exclude each other: keep one")
        acts = self.say is not None or self.play is not None or self.dtmf is not None
        ends = self.hang_up or self.hang_up_after_ms is not None
        if self.silent and (acts or ends):
            raise ValueError("a silent line neither says, plays, dials nor hangs up")
        if not (self.silent or acts or ends):
            raise ValueError("the line does nothing: give say, play, dtmf, hang_up or silent: true")
        if self.hang_up_after_ms is not None and self.say is None and self.play is None:
            raise ValueError("hang_up_after_ms cuts a sentence: it needs say or play (use hang_up to just hang up)")
        if self.say is not None:
            pieces(self.say)
        return self

    @property
    def audible(self) -> bool:
        return self.say is not None or self.play is not None

    @property
    def words(self) -> str:
        """What the line is called in records: its text, or the name of its file."""
        return self.say or (self.play.name if self.play is not None else "")

    def fits(self, text: str) -> bool:
        return self.hears == "any" or re.search(self.hears, text) is not None


class AnswerKind(StrEnum):
    ANSWER = "answer"
    BUSY = "busy"
    REJECT = "reject"
    NOT_FOUND = "not_found"
    NO_ANSWER = "no_answer"
    EARLY_MEDIA = "early_media"


class Answer(_Part):
    """How the phone is picked up, or not.

    `after_ms`: ringing before the answer. `early_media` opens audio before any answer and plays `announce` there; with
    `then_after_ms` it is answered that long after, without it never.
    """

    kind: AnswerKind = AnswerKind.ANSWER
    after_ms: int = Field(default=800, ge=0, le=120_000)
    announce: str | None = None
    then_after_ms: int | None = Field(default=None, ge=0, le=120_000)

    @model_validator(mode="after")
    def _consistent(self) -> Answer:
        if self.kind is not AnswerKind.EARLY_MEDIA and (self.announce or self.then_after_ms is not None):
            raise ValueError("announce and then_after_ms belong to kind: early_media")
        return self


class Noise(_Part):
    """Background noise under everything the persona sends, `snr_db` below its speech."""

    kind: Literal["white", "babble", "wav"] = "white"
    snr_db: float = Field(default=20.0, ge=-10, le=60)
    wav: Path | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Noise:
        if (self.kind == "wav") != (self.wav is not None):
            raise ValueError("kind: wav needs `wav: FILE`, and the other kinds take none")
        return self


class Network(_Part):
    """Damage to what the persona sends: lost 20 ms frames, and frames that come too late by up to `jitter_ms`."""

    packet_loss_percent: float = Field(default=0.0, ge=0, le=90)
    jitter_ms: int = Field(default=0, ge=0, le=500)


class Expect(_Part):
    """What the robot should book. `pay_date` is a rule (today, friday, +3d), `amount` full, part or yuan."""

    disposition: str | tuple[str, ...]
    pay_date: str | None = None
    amount: Literal["full", "part"] | Decimal | None = None
    handoff: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Expect:
        if self.pay_date is not None:
            resolve_date(self.pay_date, date(2026, 1, 1))
        return self

    @property
    def dispositions(self) -> tuple[str, ...]:
        return (self.disposition,) if isinstance(self.disposition, str) else self.disposition


class Persona(_Part):
    """One simulated debtor. `user` is the SIP user part that it answers for, usually its phone number.

    `deaf`: it waits for the robot to fall quiet and says its next line, whatever was said; for load tests, in which
    the debtors' own recognition would take the processor that is being measured.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    about: str
    user: str
    voice: str = "zf_xiaoxiao"
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    answer: Answer = Answer()
    greeting: Line | None = None
    lines: tuple[Line, ...] = ()
    otherwise: Line | None = None
    quiet_ms: int = Field(default=700, ge=200, le=5000)
    noise: Noise | None = None
    network: Network = Network()
    shouts: bool = False
    deaf: bool = False
    shout_pause_ms: int = Field(default=150, ge=0, le=5000)
    max_call_s: float = Field(default=240.0, gt=0, le=3600)
    expect: Expect | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Persona:
        if self.voice not in VOICES:
            raise ValueError(f"voice: {self.voice!r} is not one of {', '.join(VOICES)}")
        if self.shouts and not any(line.audible for line in self.lines):
            raise ValueError("shouts: true needs lines with say or play to shout")
        if self.deaf and any(line.hears != "any" for line in self.lines):
            raise ValueError("deaf: true understands nothing, so its lines can only wait for hears: any")
        for which, line in (("greeting", self.greeting), ("otherwise", self.otherwise)):
            if line is None:
                continue
            for key in ("hears", "nth", "barge_in_after_ms"):
                if key in line.model_fields_set:
                    raise ValueError(f"{which}: {key} belongs to a line under lines")
        return self

    def audible_lines(self) -> list[Line]:
        """Every line that needs audio, in the order of the file; the greeting first, otherwise last."""
        candidates = [self.greeting, *self.lines, self.otherwise]
        return [line for line in candidates if line is not None and line.audible]


def pieces(text: str) -> list[tuple[str, int]]:
    """Cut 我明天……[450]下午转过去 into [("我明天……", 450), ("下午转过去", 0)]: text and the silence after it in ms."""
    parts = _PAUSE.split(text)
    texts, pauses = parts[0::2], [int(p) for p in parts[1::2]]
    if any(not t.strip() for t in texts):
        raise ValueError(f"say: a pause marker like [450] must stand between words: {text!r}")
    if any(p > MAX_PAUSE_MS for p in pauses):
        raise ValueError(f"say: a pause may last {MAX_PAUSE_MS} ms at most: {text!r}")
    return [(t.strip(), p) for t, p in zip(texts, [*pauses, 0], strict=True)]


def resolve_date(rule: str, today: date) -> date:
    """The day that a rule names: today, tomorrow, +3d, an ISO date, or a weekday (the next one after today).

    Raises ValueError naming the rules there are.
    """
    if rule == "today":
        return today
    if rule == "tomorrow":
        return today + timedelta(days=1)
    if m := re.fullmatch(r"\+(\d{1,3})d", rule):
        return today + timedelta(days=int(m[1]))
    if rule in WEEKDAYS:
        return today + timedelta(days=(WEEKDAYS.index(rule) - today.weekday() - 1) % 7 + 1)
    try:
        return date.fromisoformat(rule)
    except ValueError:
        raise ValueError(
            f"pay_date: {rule!r} is none of today, tomorrow, +3d, a weekday (friday) or 2026-01-31"
        ) from None


def normalise_user(user: str) -> str:
    """One spelling per phone: +8613800000001, 8613800000001 and 13800000001 are the same line."""
    bare = re.sub(r"[\s\-()]", "", user)
    if m := re.fullmatch(r"(?:\+|00)?86(1\d{10})", bare):
        return m[1]
    return bare.removeprefix("+").lower()


def load_persona(path: Path) -> Persona:
    """Read one persona. Relative `play` and `wav` paths are meant from the file's folder. Raises PersonaError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise PersonaError(f"{path}: cannot be read: {e}") from e
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as e:
        raise PersonaError(f"{path}: not valid YAML: {e}") from e
    if not isinstance(data, dict) or root is None:
        raise PersonaError(f"{path}: line 1: expected keys and values (name, about, user, lines, ...)")
    try:
        persona = Persona.model_validate(data)
    except ValidationError as e:
        first = e.errors()[0]
        where, line = _locate(root, first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise PersonaError(f"{path}: line {line}: {where + ': ' if where else ''}{message}") from e
    return _with_existing_files(persona, path)


def load_personas(paths: Iterable[Path]) -> tuple[Persona, ...]:
    """Read persona files, and folders of them. Raises PersonaError when two answer for the same user."""
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise PersonaError("no persona files given")
    personas = tuple(load_persona(file) for file in files)
    _reject_twins(files, personas)
    return personas


def _reject_twins(files: Sequence[Path], personas: Sequence[Persona]) -> None:
    taken: dict[str, Path] = {}
    for file, persona in zip(files, personas, strict=True):
        user = normalise_user(persona.user)
        if user in taken:
            raise PersonaError(f"{file}: user {persona.user!r} is already answered by {taken[user]}")
        taken[user] = file


def _with_existing_files(persona: Persona, path: Path) -> Persona:
    def real(named: Path | None, key: str) -> Path | None:
        if named is None:
            return None
        full = path.parent / named
        if not full.is_file():
            raise PersonaError(f"{path}: {key}: no such file {full}")
        return full

    def line(part: Line | None) -> Line | None:
        return part and part.model_copy(update={"play": real(part.play, "play")})

    noise = persona.noise and persona.noise.model_copy(update={"wav": real(persona.noise.wav, "noise.wav")})
    return persona.model_copy(
        update={
            "greeting": line(persona.greeting),
            "lines": tuple(line(part) for part in persona.lines),
            "otherwise": line(persona.otherwise),
            "noise": noise,
        }
    )


def _locate(root: yaml.Node, loc: tuple[int | str, ...]) -> tuple[str, int]:
    """The dotted key and the 1-based line of the deepest YAML node that `loc` leads to."""
    node, names, line = root, [], root.start_mark.line + 1
    for step in loc:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == step), None)
            if found is None:
                names.append(str(step))
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
        names.append(str(step))
    return ".".join(names), line
