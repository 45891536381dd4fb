"""How does one get a pjsua2 that holds more than four calls?

Builds a wheel from PJSIP source, for the Python that runs this program:

    python tools/build_pjsip.py --source pjproject-2.17.tar.gz --out dist/       # a release tarball of PJSIP
    python tools/build_pjsip.py --debian --out dist/                             # Debian's copy of it, through apt

`--debian` takes the `Xpjproject` component of Debian's asterisk source package from the mirror that this machine's own
apt configuration names, from the suite given by `--suite`, in a private apt root: the system's sources are not
touched. That copy is pinned by version and SHA-256 below. For another tarball give `--sha256`; without it the hash is
printed and nothing is compared.

Needs: a C and C++ compiler, make, swig 4, tar with xz; apt with a Debian keyring for `--debian`. Takes about three
minutes of one core and writes one file, pjsua2-<version>-cp3xx-*.whl.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PJSIP_VERSION = "2.17"
DEBIAN_PACKAGE = "asterisk"
DEBIAN_COMPONENT = "orig-Xpjproject.tar.xz"
DEBIAN_SHA256 = "6860c2f7604b4eee75f38151a9ef69774eb3f0c5286fc1d14bc1db2dc5a9e8aa"
MAX_CALLS = 256

CONFIG_SITE = f"""\
#define PJMEDIA_HAS_VIDEO 0
#define PJ_IOQUEUE_MAX_HANDLES 1024
#undef FD_SETSIZE
#define FD_SETSIZE 1024
#define PJSUA_MAX_CALLS {MAX_CALLS}
#define PJSUA_MAX_ACC 64
#define PJSUA_MAX_PLAYERS 64
#define PJMEDIA_CONF_USE_SWITCH_BOARD 0
"""

CONFIGURE = [
    *("--disable-video", "--disable-sound", "--disable-oss", "--disable-upnp", "--enable-epoll", "--disable-ssl"),
    *("--disable-libsrtp", "--disable-resample"),
    *("--disable-ilbc-codec", "--disable-g7221-codec", "--disable-libyuv", "--disable-libwebrtc"),
    *("--disable-opus", "--disable-v4l2", "--disable-sdl", "--disable-ffmpeg", "--disable-openh264"),
    *("--disable-vpx", "--disable-silk", "--disable-bcg729", "--disable-speex-aec", "--disable-speex-codec"),
    *("--disable-gsm-codec", "--disable-l16-codec", "--disable-g722-codec"),
]
"""Telephone audio over UDP and nothing more: no video, no sound card, no codec but G.711."""


class BuildError(Exception):
    """A step that failed; says which one and where its log is."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Build a pjsua2 wheel for many calls per process.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--source", type=Path, help="PJSIP source tarball (.tar.gz, .tar.xz)")
    where.add_argument("--debian", action="store_true", help="take the source from Debian through apt")
    parser.add_argument("--sha256", help="expected hash of --source")
    parser.add_argument("--suite", default="sid", help="Debian suite for --debian (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("dist"), help="folder for the wheel")
    parser.add_argument("--work", type=Path, help="build here and keep it (default: a temporary folder)")
    parser.add_argument("--jobs", type=int, default=1, help="parallel compiler jobs")
    options = parser.parse_args()
    try:
        need_tools("gcc", "g++", "make", "swig")
        options.out.mkdir(parents=True, exist_ok=True)
        if options.work:
            options.work.mkdir(parents=True, exist_ok=True)
            wheel = build(options, options.work.resolve())
        else:
            with tempfile.TemporaryDirectory(prefix="pjsip-") as work:
                wheel = build(options, Path(work))
    except BuildError as e:
        print(f"build_pjsip: {e}", file=sys.stderr)
        return 2
    print(f"{wheel}  sha256 {sha256_of(wheel)}")
    print(f"install it over the wheel from PyPI: pip uninstall -y pjsua2-python && pip install {wheel}")
    return 0


def build(options: argparse.Namespace, work: Path) -> Path:
    """Source, configure, compile, bind, pack. Returns the wheel's path."""
    if options.debian:
        tarball, expected = from_debian(options.suite, work), DEBIAN_SHA256
    else:
        tarball, expected = options.source, options.sha256
        if not tarball.exists():
            raise BuildError(f"{tarball}: no such file")
    found = sha256_of(tarball)
    if expected and found != expected.lower():
        raise BuildError(
            f"{tarball.name}: SHA-256 is {found}, expected {expected}; take the pinned version or check the new one "
            "and pass it with --source and --sha256"
        )
    print(f"source {tarball.name}  sha256 {found}")
    tree = unpack(tarball, work / "source")
    version = version_of(tree)
    print(f"PJSIP {version}, up to {MAX_CALLS} calls per process")
    prepare(tree)
    flags = {"CFLAGS": "-O2 -fPIC -DNDEBUG", "CXXFLAGS": "-O2 -fPIC -DNDEBUG"}
    logs = work / "logs"
    logs.mkdir(exist_ok=True)
    step("configure", ["./configure", *CONFIGURE], tree, logs, flags)
    step("dependencies", ["make", "dep"], tree, logs, flags)
    step("compile", ["make", f"-j{options.jobs}", "lib"], tree, logs, flags)
    bindings = tree / "pjsip-apps" / "src" / "swig" / "python"
    step("bind", ["make", f"PYTHON_EXE={sys.executable}"], bindings, logs, flags, may_fail=True)
    if not (bindings / "pjsua2.py").exists():
        raise BuildError(f"swig made no bindings; see {logs / 'bind.log'}")
    packed = work / "wheel"
    shutil.rmtree(packed, ignore_errors=True)
    stripped = {**flags, "LDFLAGS": "-Wl,-s"}
    step("pack", [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(packed), "."], bindings, logs, stripped)
    made = next(packed.glob("*.whl"), None)
    if made is None:
        raise BuildError(f"no wheel came out; see {logs / 'pack.log'}")
    return Path(shutil.copy2(made, options.out))


def from_debian(suite: str, work: Path) -> Path:
    """Fetch the PJSIP component of Debian's asterisk source package into `work`."""
    need_tools("apt-get")
    root = work / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "status").touch()
    mirror, keyring = own_mirror()
    (root / "sources.list").write_text(f"deb-src [signed-by={keyring}] {mirror} {suite} main\n")
    apt = [
        "apt-get",
        *("-o", f"Dir::Etc::sourcelist={root}/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null"),
        *("-o", f"Dir::State={root}", "-o", f"Dir::State::Lists={root}/lists"),
        *("-o", f"Dir::State::status={root}/status", "-o", f"Dir::Cache={root}/cache"),
        *("-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"),
    ]
    step("apt-update", [*apt, "update"], work, work)
    listing = step("apt-source", [*apt, "source", "--print-uris", "--download-only", DEBIAN_PACKAGE], work, work)
    if not re.search(rf"{re.escape(DEBIAN_COMPONENT)}\b", listing):
        raise BuildError(f"{DEBIAN_PACKAGE} in {suite} has no {DEBIAN_COMPONENT}; try another --suite")
    step("apt-download", [*apt, "source", "--download-only", DEBIAN_PACKAGE], work, work)
    return next(work.glob(f"*{DEBIAN_COMPONENT}"))


def own_mirror() -> tuple[str, str]:
    """Mirror and keyring that this machine's apt already uses for Debian."""
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if not keyring.exists():
        raise BuildError(f"{keyring} is missing: install debian-archive-keyring, or use --source")
    text = "\n".join(
        path.read_text()
        for pattern in ("sources.list", "sources.list.d/*.list", "sources.list.d/*.sources")
        for path in Path("/etc/apt").glob(pattern)
    )
    found = re.search(r"^URIs:\s*(\S+/debian)/?\s*$", text, re.M) or re.search(
        r"^deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?(\S+/debian)/?\s", text, re.M
    )
    if found is None:
        raise BuildError("this machine's apt names no Debian mirror; use --source with a PJSIP tarball")
    return found[1], str(keyring)


def unpack(tarball: Path, target: Path) -> Path:
    if target.exists():
        shutil.rmtree(target)
    with tarfile.open(tarball) as archive:
        archive.extractall(target, filter="data")
    tree = next((p.parent for p in sorted(target.glob("**/aconfigure"), key=lambda p: len(p.parts))), None)
    if tree is None:
        raise BuildError(f"{tarball.name} holds no PJSIP source (no aconfigure in it)")
    return tree


def prepare(tree: Path) -> None:
    (tree / "pjlib" / "include" / "pj" / "config_site.h").write_text(CONFIG_SITE)
    missing = tree / "pjmedia" / "src" / "pjmedia-audiodev" / "bdimad_dev.c"
    if not missing.exists():
        missing.write_text("")  # left out of Debian's copy for its licence; unused, but named in the Makefile


def version_of(tree: Path) -> str:
    text = (tree / "version.mak").read_text()
    parts = [re.search(rf"PJ_VERSION_{name}\s*:?=\s*(\d+)", text) for name in ("MAJOR", "MINOR")]
    return ".".join(part[1] for part in parts if part)


def need_tools(*names: str) -> None:
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise BuildError(f"{', '.join(missing)} not found; install it with the system's package manager")


def step(
    name: str,
    command: list[str],
    folder: Path,
    logs: Path,
    flags: dict[str, str] | None = None,
    *,
    may_fail: bool = False,
) -> str:
    """Run one command, its output into a log beside the build. Raises BuildError with the log's last lines."""
    print(f"  {name} ...", flush=True)
    log = logs / f"{name}.log"
    with log.open("w") as out:
        done = subprocess.run(
            command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(flags or {})}
        )
    text = log.read_text(errors="replace")
    if done.returncode and not may_fail:
        tail = "\n".join(text.splitlines()[-15:])
        raise BuildError(f"{name} failed ({done.returncode}); see {log}\n{tail}")
    return text


def sha256_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
