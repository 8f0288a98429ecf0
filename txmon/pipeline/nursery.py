"""A process that is forked before the service has threads or files, and forks engines when it is asked.

A fork of a process with threads may copy a lock that nobody will ever release; this one has none, and what it
has loaded (compiled kernels, rules) its children need not load again. It ends with the service, however that
ends: it sees the end of its socket. Owns the forking; what a child does is told to it at the start.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from txmon.errors import EngineLost

Child = Callable[[Connection], None]


class Nursery:
    """See the module."""

    def __init__(self, pid: int, door: socket.socket) -> None:
        self._pid, self._door, self._turn = pid, door, threading.Lock()

    @classmethod
    def start(cls, child: Child) -> Nursery:
        """Fork it. Call it while there is no other thread, and before files are opened that must be closed.

        Args:
            child: what every engine does with its end of a connection; it ends when this returns.
        """
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            _only_child(partial(_tend, theirs, child), theirs.fileno())
        theirs.close()
        return cls(pid, ours)

    def engine(self) -> Connection:
        """Fork an engine; returns our end of its connection, which reads an end of file when it is gone.

        Raises:
            EngineLost: the nursery itself is gone.
        """
        ours, theirs = socket.socketpair()
        try:
            with self._turn:
                socket.send_fds(self._door, [b"e"], [theirs.fileno()])
        except OSError as error:
            ours.close()
            raise EngineLost("no process for the engine can be started; restart the service") from error
        finally:
            theirs.close()
        return Connection(ours.detach())

    def close(self) -> None:
        """Let it end, and its engines with it."""
        self._door.close()
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _tend(door: socket.socket, child: Child) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for engines
    while True:
        said, fds, _, _ = socket.recv_fds(door, 1, 1)
        if not said:
            return
        pid = os.fork()
        if pid == 0:
            _only_child(partial(_grow, child, fds[0]), fds[0])
        os.close(fds[0])


def _grow(child: Child, end: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child(Connection(end))


def _only_child(work: Callable[[], None], keep: int) -> None:
    """Do a child's work with nothing of its parent's files but one, and end."""
    code = 1
    try:
        # signals are for the service, which ends us by closing the connection
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _let_go(keep)
        work()
        code = 0
    except BaseException as error:  # nobody above us hears it; its text may quote what was sent
        places = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
        os.write(2, f"engine process: {type(error).__name__} at {' '.join(places)}\n".encode())
    finally:
        os._exit(code)


def _let_go(keep: int) -> None:
    """Let go of every inherited file but one.

    Their numbers stay taken: objects that came along in memory may still close them when they are tidied up,
    and would otherwise close a file that was opened here under the same number.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    listed = (
        "/proc/self/fd" if os.path.exists("/proc/self/fd") else "/dev/fd"
    )  # bare roots have the first only
    for number in [int(name) for name in os.listdir(listed)]:
        if number > 2 and number not in (keep, nothing):
            with suppress(OSError):  # the listing's own
                os.dup2(nothing, number, inheritable=False)
