"""How does a value become JSON and the very same value again?

JSON's own types stand for themselves, an array is a tuple, and everything else is an object whose key says what it is:

    {"$": "CustomerSaid", "turn": 1, ...}     a dataclass, by the bare name of its class
    {"$enum": "Act", "is": "affirm"}          a member of an enumeration
    {"$decimal": "1235.60"}   {"$date": "2026-11-27"}   {"$datetime": "2026-11-22T08:00:00+08:00", "zone": ...}

Classes are found in a list of modules by their bare name, so a class may move between them and old logs stay
readable; a second class of the same name is refused when it is written.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib
import inspect
import math
import numbers
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import cache
from pathlib import Path, PurePath
from typing import Any
from zoneinfo import ZoneInfo


class CodecError(ValueError):
    """A value or a text that the codec does not know."""


_modules = [
    "dialogue.acts",
    "dialogue.understanding",
    "dialogue.protocol",
    "voicebot.call.turns",
    "voicebot.call.core",
    "voicebot.speech.api",
]


def register_module(name: str) -> None:
    """Let the log carry the dataclasses and enumerations defined in that module."""
    if name not in _modules:
        _modules.append(name)
        _class.cache_clear()


@cache
def _class(name: str) -> type:
    """The first class of that name, in the order of the modules. Raises CodecError."""
    for module_name in _modules:
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as e:
            if e.name != module_name:
                raise
            continue
        cls = vars(module).get(name)
        if not inspect.isclass(cls) or cls.__module__ != module_name:
            continue
        if dataclasses.is_dataclass(cls) or issubclass(cls, Enum):
            return cls
    raise CodecError(f"no class {name!r} in {', '.join(_modules)}: written by another version of the program?")


def encode(value: Any) -> Any:
    """A value that `json.dumps` takes. Raises CodecError for types that `decode` could not bring back."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, numbers.Integral) and not isinstance(value, Enum):  # numpy's integers
        return int(value)
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Rational | Enum):  # numpy's floats
        return encode(float(value))
    if type(value) is tuple:
        return [encode(v) for v in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"$": _name_of(type(value))} | {
            f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init
        }
    if isinstance(value, Enum):
        return {"$enum": _name_of(type(value)), "is": encode(value.value)}
    for cls, tag, write, _ in _SCALARS:
        if isinstance(value, cls):
            return {tag: write(value)} | _zone_of(value)
    if type(value) in (list, set, frozenset):
        # A set has no order of its own; sorting makes equal values equal texts.
        parts = value if type(value) is list else sorted(value, key=repr)
        return {f"${type(value).__name__}": [encode(v) for v in parts]}
    if type(value) is dict:
        return {"$dict": [[encode(k), encode(v)] for k, v in value.items()]}
    raise CodecError(f"{type(value).__module__}.{type(value).__name__} cannot be logged: make it a frozen dataclass")


def decode(data: Any) -> Any:
    """The inverse of `encode`. Raises CodecError."""
    if isinstance(data, list):
        return tuple(decode(v) for v in data)
    if not isinstance(data, dict):
        return data
    try:
        return _decode_object(data)
    except CodecError:
        raise
    except (TypeError, ValueError, KeyError, ArithmeticError) as e:
        raise CodecError(f"{str(data)[:80]}: does not fit: {e}") from e


def _decode_object(data: dict[str, Any]) -> Any:
    match data:
        case {"$": str(name), **fields}:
            return _class(name)(**{k: decode(v) for k, v in fields.items()})
        case {"$enum": str(name), "is": member}:
            return _class(name)(decode(member))
        case {"$datetime": str(text), **rest}:
            moment = datetime.fromisoformat(text).replace(fold=rest.get("fold", 0))
            return moment.replace(tzinfo=ZoneInfo(rest["zone"])) if "zone" in rest else moment
        case {"$list": list(parts)}:
            return [decode(v) for v in parts]
        case {"$set": list(parts)}:
            return {decode(v) for v in parts}
        case {"$frozenset": list(parts)}:
            return frozenset(decode(v) for v in parts)
        case {"$dict": list(pairs)}:
            return {decode(k): decode(v) for k, v in pairs}
        case {"$float": str(text)}:
            return float(text)
    for _, tag, _, read in _SCALARS:
        if tag in data:
            return read(data[tag])
    raise CodecError(f"{str(data)[:80]}: an object without a known tag")


def _zone_of(value: Any) -> dict[str, Any]:
    """isoformat keeps the offset but not the zone, and the day after tomorrow needs the zone."""
    if not isinstance(value, datetime):
        return {}
    zone = {"zone": value.tzinfo.key} if isinstance(value.tzinfo, ZoneInfo) and value.tzinfo.key else {}
    return zone | ({"fold": 1} if value.fold else {})


def _name_of(cls: type) -> str:
    if cls.__module__ not in _modules:
        raise CodecError(
            f"{cls.__module__}.{cls.__name__} is not known to the event log: register_module({cls.__module__!r})"
        )
    found = _class(cls.__name__)
    if found is not cls:
        raise CodecError(
            f"{cls.__module__}.{cls.__name__}: {found.__module__} has a class of that name already; rename one"
        )
    return cls.__name__


_SCALARS: tuple[tuple[type, str, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    (Decimal, "$decimal", str, Decimal),
    (datetime, "$datetime", datetime.isoformat, datetime.fromisoformat),  # before date, its base class
    (date, "$date", date.isoformat, date.fromisoformat),
    (time, "$time", time.isoformat, time.fromisoformat),
    (PurePath, "$path", PurePath.as_posix, Path),
    (bytes, "$bytes", lambda b: base64.b64encode(b).decode("ascii"), base64.b64decode),
)
