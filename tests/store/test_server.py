"""The private server: nobody else gets in, everybody of the folder shares it, and no crash leaves it in the way."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from voicebot.store import ServerError
from voicebot.store.server import PrivateServer, private_server

HOLDER = """
import sys
from pathlib import Path
from voicebot.store.server import private_server
server = private_server(Path(sys.argv[1]))
print(server.pid, flush=True)
sys.stdin.readline()
"""


def connect(server: PrivateServer, **other: str) -> psycopg.Connection[tuple[object, ...]]:
    url = make_url(server.url)
    known = {"host": url.host, "port": url.port, "user": url.username, "password": url.password, "dbname": url.database}
    return psycopg.connect(**known | other)  # type: ignore[arg-type]


def hold(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Another process that uses the server of `folder`, and the server's pid as it sees it."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    return holder, int(holder.stdout.readline())


def is_gone(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def folder(own_folder: Path) -> Path:
    return own_folder / "pg"


def test_it_listens_on_the_loopback_only_and_wants_the_password(folder: Path) -> None:
    server = private_server(folder)
    try:
        assert server.pid is not None
        listening = [
            c for c in psutil.net_connections("inet") if c.pid == server.pid and c.status == psutil.CONN_LISTEN
        ]
        assert {c.laddr.ip for c in listening} == {"127.0.0.1"}
        assert not [c for c in psutil.net_connections("unix") if c.pid == server.pid and "PGSQL" in str(c.laddr)]
        with connect(server) as db:
            assert db.execute("SELECT 1").fetchone() == (1,)
        for wrong in ("guess", ""):
            with pytest.raises(psycopg.OperationalError, match="password"):
                connect(server, password=wrong)
        assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
    finally:
        server.leave()


def test_processes_share_one_server_and_the_last_to_leave_stops_it(folder: Path) -> None:
    ours = private_server(folder)
    pid = ours.pid
    assert pid is not None
    holder, seen = hold(folder)
    assert seen == pid
    ours.leave()
    assert psutil.pid_exists(pid), "another process still uses it"
    holder.communicate("\n")
    assert is_gone(pid)


def test_one_process_may_use_it_twice(folder: Path) -> None:
    first, second = private_server(folder), private_server(folder)
    first.leave()
    with connect(second) as db:
        assert db.execute("SELECT 1").fetchone() == (1,)
    pid = second.pid
    second.leave()
    assert pid is not None and is_gone(pid)


def test_the_server_of_a_killed_process_is_adopted_and_stopped_by_the_next(folder: Path) -> None:
    holder, pid = hold(folder)
    holder.kill()
    holder.wait()
    server = private_server(folder)
    assert server.pid == pid, "it went on running and was joined"
    server.leave()
    assert is_gone(pid)


def test_a_killed_server_comes_back_on_its_port_with_its_data(folder: Path) -> None:
    server = private_server(folder)
    try:
        with connect(server) as db:
            db.execute("CREATE TABLE kept (n int)")
            db.execute("INSERT INTO kept VALUES (7)")
        before, pid = server.url, server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert is_gone(pid)
        server.ensure_running()
        assert server.url == before and server.pid != pid
        with connect(server) as db:
            assert db.execute("SELECT n FROM kept").fetchone() == (7,)
    finally:
        server.leave()


def test_a_pid_file_whose_pid_now_belongs_to_another_program_is_no_server(folder: Path) -> None:
    private_server(folder).leave()
    (folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder / 'data'}\n")
    server = private_server(folder)
    try:
        with connect(server) as db:
            assert db.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.leave()


def test_a_port_taken_by_somebody_else_is_left_to_them(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        folder.mkdir()
        (folder / "port").write_text(str(other.getsockname()[1]))
        server = private_server(folder)
        try:
            assert make_url(server.url).port != other.getsockname()[1]
        finally:
            server.leave()


def test_a_cluster_that_was_half_made_is_made_again(folder: Path) -> None:
    draft = folder / "data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    server = private_server(folder)
    try:
        with connect(server) as db:
            assert db.execute("SELECT 1").fetchone() == (1,)
        assert not draft.exists()
    finally:
        server.leave()


def test_a_cluster_of_another_postgresql_is_refused_by_name(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(ServerError, match=r"written by PostgreSQL 12, this program brings 18"):
        private_server(folder)


def test_a_server_that_cannot_start_shows_its_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private_server(folder).leave()
    shutil.rmtree(folder / "data" / "global")
    monkeypatch.setattr("voicebot.store.server.START_TIMEOUT_S", 1.0)
    with pytest.raises(ServerError, match="global"):
        private_server(folder)
