"""Where every setting comes from: config/voicebot.yaml, then a file named by --config or VOICEBOT_CONFIG, then
environment variables (VOICEBOT__SIP__PORT=5070). Later ones win, key by key. Unknown keys are errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class SettingsError(ValueError):
    """A settings file that cannot be used; the message names file and key."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SipAccount(_Section):
    """Digest registration at the carrier or PBX. Without `registrar` nothing is registered."""

    registrar: str | None = None  # sip:pbx.bank.example
    user: str | None = None
    password: str | None = None
    realm: str = "*"


class Trunk(_Section):
    """One way out. `calls` at the same time and `per_second` new ones hold over all workers; a worker's own address is
    what the carrier sees. Of `caller_ids` a local one is shown first."""

    name: str
    uri: str = Field(pattern=r"^[^{}]*\{phone\}[^{}]*$")  # sip:{phone}@carrier.example
    calls: int | None = Field(None, ge=1)
    per_second: float | None = Field(None, gt=0)
    caller_ids: tuple[str, ...] = ()
    breaker_failures: int = Field(5, ge=1)  # one after the other: the trunk rests
    breaker_s: float = 30.0


class Sip(_Section):
    bind: str = "127.0.0.1"
    port: int = 0  # 0: any free port
    public_address: str | None = None  # what Contact and SDP advertise behind NAT
    rtp_ports: tuple[int, int] = (20000, 29999)
    codecs: tuple[str, ...] = ("PCMA", "PCMU")
    caller_id: str = "sip:robot@127.0.0.1"  # From of outgoing calls; a bare number or a SIP URI
    outbound_proxy: str | None = None
    trunks: tuple[Trunk, ...] = ()  # for campaigns; without any, `trunk` below
    trunk: str = Field(
        default="sip:{phone}@127.0.0.1:5080", pattern=r"^[^{}]*(\{phone\}[^{}]*)?$"
    )  # a phone as a SIP URI
    account: SipAccount = SipAccount()
    ring_timeout_s: float = 30.0  # then no_answer
    dead_host_timeout_s: float = 5.0  # no provisional answer at all: unreachable
    user_agent: str = "voicebot"


class Seats(_Section):
    """Human seats that take handed-off calls, tried in order."""

    addresses: tuple[str, ...] = ()
    ring_timeout_s: float = 15.0


class Speech(_Section):
    asr: Literal["auto", "vosk", "muggle", "whisper", "sherpa"] = "auto"
    asr_model: Path | None = None  # folder, for vosk and sherpa
    asr_adaptation: Path | None = PROJECT_ROOT / "models" / "ears" / "telephone.npz"  # for muggle: what it has learned
    asr_words: Path | None = PROJECT_ROOT / "models" / "ears" / "words.npz"  # for muggle: what customers say
    vad: Literal["auto", "silero", "webrtc"] = "auto"
    tts: Literal["auto", "kokoro", "coqui"] = "auto"
    tts_model: Path | None = None  # for coqui: a local model folder
    voice: str = "zf_xiaoyi"
    speed: float = 1.0
    recordings: Path | None = None  # folder of human recordings; they win over synthesis
    cache_mb: int = 500
    threads: int = 1  # inference threads per engine


class Turns(_Section):
    """Endpointing and barge-in, in milliseconds. How long silence may last is the call script's to say."""

    complete_ms: int = 280  # silence that ends a turn which already answers the question
    likely_ms: int = 640  # ... which is an answer, and often only its beginning
    open_ms: int = 700
    hanging_ms: int = 1000
    duck_after_ms: int = 60  # speech over the robot before its voice is lowered
    stop_after_ms: int = 150  # ... and before it stops
    hum_stop_after_ms: int = 200  # the same for a hum that may be 嗯
    duck_db: float = -12.0
    max_turn_ms: int = 20000  # someone speaks without a pause: take the floor


class Call(_Section):
    max_s: float = 300.0  # the watchdog's bound on a whole call
    grace_s: float = 15.0  # between the polite end that it asks for and its BYE


class Understanding(_Section):
    """Who reads what the customer means: the trained classifier, or the rules that need no model."""

    by: Literal["auto", "trained", "rules"] = "auto"  # auto: trained where the model is
    model: Path = PROJECT_ROOT / "models" / "intent"


class Store(_Section):
    url: str | None = None  # postgresql+psycopg://...; None: the private server under the data folder
    lease_s: float = 60.0  # how long a worker may be silent before its attempts are judged


class Gateway(_Section):
    """A service behind a URL: POST with JSON; see voicebot.messages.senders."""

    url: str
    token: str = ""


class Mail(_Section):
    host: str
    port: int = 25
    sender: str
    user: str = ""
    password: str = ""


class Messages(_Section):
    """How messages leave the house. What is not set up waits."""

    sms: Gateway | None = None
    email: Mail | None = None
    push: Gateway | None = None
    letter: Gateway | None = None
    templates: Path = PROJECT_ROOT / "config" / "templates.zh.yaml"


class Compliance(_Section):
    pack: str = "cn"  # rules that every contact must pass: a name in config/compliance, or a file


class Settings(_Section):
    home: Path | None = None  # data folder; see data_home()
    sip: Sip = Sip()
    seats: Seats = Seats()
    speech: Speech = Speech()
    turns: Turns = Turns()
    call: Call = Call()
    understanding: Understanding = Understanding()
    store: Store = Store()
    compliance: Compliance = Compliance()
    messages: Messages = Messages()
    timezone: str = "Asia/Shanghai"
    bank: str = "示例银行"
    knowledge: Path | None = PROJECT_ROOT / "config" / "knowledge.zh.yaml"  # answers beside the scripts' own
    scripts: tuple[Path, ...] = Field(default=(PROJECT_ROOT / "scripts",))

    @property
    def data_home(self) -> Path:
        """Weights, cache, recordings, logs, the private database: $VOICEBOT_HOME, `home`, var/ in a checkout,
        else ~/.local/share/voicebot."""
        if env := os.environ.get("VOICEBOT_HOME"):
            return Path(env).expanduser()
        if self.home is not None:
            return self.home.expanduser()
        if (PROJECT_ROOT / "pyproject.toml").exists():
            return PROJECT_ROOT / "var"
        return Path.home() / ".local" / "share" / "voicebot"


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings as the module's docstring says. Raises SettingsError with file, key and reason."""
    merged: dict[str, Any] = {}
    files = [PROJECT_ROOT / "config" / "voicebot.yaml"]
    if named := path or (Path(os.environ["VOICEBOT_CONFIG"]) if "VOICEBOT_CONFIG" in os.environ else None):
        if not named.exists():
            raise SettingsError(f"{named}: no such settings file")
        files.append(named)
    for file in files:
        if file.exists():
            merged = _merge(merged, _read(file))
    merged = _merge(merged, _from_environment(os.environ))
    try:
        return Settings.model_validate(merged)
    except ValidationError as e:
        first = e.errors()[0]
        key = ".".join(str(p) for p in first["loc"])
        raise SettingsError(f"{files[-1]}: {key}: {first['msg']} (got {first['input']!r})") from e


def _read(file: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(file.read_text("utf-8")) or {}
    except yaml.YAMLError as e:
        raise SettingsError(f"{file}: not valid YAML: {e}") from e
    if not isinstance(data, dict):
        raise SettingsError(f"{file}: expected keys and values at the top level")
    return data


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        out[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return out


def _from_environment(env: os._Environ[str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, raw in env.items():
        if not name.startswith("VOICEBOT__"):
            continue
        *path, leaf = name.removeprefix("VOICEBOT__").lower().split("__")
        node = out
        for part in path:
            node = node.setdefault(part, {})
        node[leaf] = yaml.safe_load(raw)
    return out
