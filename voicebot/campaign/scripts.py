"""Where are the call scripts? By name in the folders of the settings, or a file by its path."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from dialogue.knowledge_file import load_knowledge, with_knowledge
from dialogue.loader import load_script
from dialogue.script import Script, ScriptError
from voicebot.settings import Settings


def script_names(settings: Settings) -> tuple[str, ...]:
    """Names of all scripts in the script folders, the first folder's first."""
    return tuple(dict.fromkeys(path.stem for folder in settings.scripts for path in sorted(folder.glob("*.yaml"))))


def script_file(name: str, settings: Settings) -> Path:
    """The file of a script. Raises ScriptError naming the scripts there are."""
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise ScriptError(f"{name}: no such script file")
        return path
    for folder in settings.scripts:
        path = folder / f"{name}.yaml"
        if path.is_file():
            return path
    known = ", ".join(script_names(settings)) or "none"
    raise ScriptError(f"{name}: no such script in {', '.join(map(str, settings.scripts))}; there are: {known}")


def find_script(name: str, settings: Settings) -> Script:
    """Read the script `name` (or the file of that path), with what the bank knows beside it. Raises ScriptError with
    file, line and way out."""
    return _read(script_file(name, settings), settings.knowledge)


@cache
def _read(path: Path, knowledge: Path | None) -> Script:
    script = load_script(_text(path), str(path))
    return with_knowledge(script, load_knowledge(_text(knowledge), str(knowledge))) if knowledge else script


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as e:
        raise ScriptError(f"{path}: not UTF-8 text: {e}") from e
