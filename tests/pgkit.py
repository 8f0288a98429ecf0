"""A PostgreSQL server of the tests' own, and a fresh database a test.

`TXMON_TEST_POSTGRES` may name a server that is already there (postgresql+psycopg://USER:PASSWORD@HOST:PORT/DB,
allowed to create databases). Else the binaries of the machine are started on a free port, in a folder that is
removed at the end; as root, under an account that may not do much, since PostgreSQL refuses root. Where none
can be started a test is skipped with the reason; with CI=true it fails.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

_numbers = itertools.count(1)
_server: PostgresServer | str | None = None


class PostgresServer:
    """A server in a folder of its own. `stop` and `start` may be called any number of times."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._user = _account()
        self.folder = Path(tempfile.mkdtemp(prefix="txmon-pg-"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.data.mkdir()
        if self._user is not None:
            shutil.chown(self.data, self._user)
        self.port = _free_port()
        self._run(
            "initdb",
            "-D",
            str(self.data),
            "-U",
            "txmon",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C",
        )
        self.start()

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._binaries / name, *arguments],
            user=self._user,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stderr.decode(errors='replace')[-500:]}")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -c unix_socket_directories='' -c fsync=off -c max_connections=60"
        self._run("pg_ctl", "-D", str(self.data), "-l", str(self.data / "log"), "-o", options, "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; `immediate` is what a crash looks like to its clients."""
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def close(self) -> None:
        """Stop it for good."""
        if (self.data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """URL of a database."""
        return f"postgresql+psycopg://txmon@127.0.0.1:{self.port}/{database}"


def binary(name: str) -> Path | None:
    """A program of PostgreSQL, from PATH or where Debian puts it, the newest version first."""
    found = shutil.which(name)
    # Debian's wrappers in PATH manage clusters of their own; the real programs lie apart
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return places[0] if places else Path(found) if found else None


def server() -> PostgresServer:
    """The server that all tests share, started at first use; skips where there is none."""
    global _server
    if _server is None:
        _server = _start()
    if isinstance(_server, str):
        _refuse(_server)
    return _server


def fresh_database() -> str:
    """URL of a new, empty database; skips where there is no server."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    given = os.environ.get("TXMON_TEST_POSTGRES")
    base = given or server().url()
    plain = make_url(base).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    return make_url(base).set(database=name).render_as_string(hide_password=False)


def own_server() -> PostgresServer:
    """A server that a test may stop and start; skips where none can be started."""
    programs = binary("initdb")
    if programs is None:
        _refuse("PostgreSQL is not installed (no initdb)")
    return PostgresServer(programs.parent)


def _start() -> PostgresServer | str:
    programs = binary("initdb")
    if programs is None:
        return "PostgreSQL is not installed (no initdb)"
    try:
        started = PostgresServer(programs.parent)
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        return f"PostgreSQL cannot be started: {error}"
    atexit.register(started.close)
    return started


def _refuse(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; CI skips nothing")
    pytest.skip(reason)


def _account() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
