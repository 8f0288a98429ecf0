"""Plain folders that stand for images and containers: what an engine does with mounts, users and rights.

A folder gets this machine's programs mounted into it, read-only, and a command runs in it by chroot in a mount
namespace of its own, which is gone when the command ends. It needs root on Linux.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_TOOLS = ("unshare", "setpriv", "chroot", "mount")
_ETC = (
    "passwd", "group", "shadow", "gshadow", "login.defs", "nsswitch.conf", "ld.so.cache", "ld.so.conf", "hosts",
    "ld.so.conf.d", "ssl", "ca-certificates", "localtime", "mime.types",
)  # fmt: skip
_DEVICES = ("null", "zero", "full", "random", "urandom")
_LINKS = {
    "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
}  # fmt: skip


@cache
def why_not() -> str:
    """Why no root can be entered here, or an empty text."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: util-linux, coreutils, mount)"
    if os.geteuid() != 0:
        return "only root may mount and change to another user"
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/tmp"], capture_output=True, text=True
    )
    return "" if tried.returncode == 0 else f"no mounts allowed here: {tried.stderr.strip()}"


def need_roots() -> None:
    """Skip the test where no root can be entered; in CI that is a failure."""
    reason = why_not()
    if reason and os.environ.get("CI") == "true":
        raise AssertionError(reason)
    if reason:
        pytest.skip(reason)


def base_path() -> str:
    """PATH of the base image: `python3` is the one of these tests."""
    return f"{sys.base_prefix}/bin:{PATH}"


def make_root(root: Path) -> None:
    """Lay out a folder as the base image is."""
    root.mkdir(mode=0o755)
    for name in ("etc", "dev", "proc", "tmp", "usr", "var/tmp", "root", "replay", "run"):
        (root / name).mkdir(parents=True, mode=0o755)
    (root / "tmp").chmod(0o1777)
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        if Path("/", name).is_symlink():
            (root / name).symlink_to(os.readlink(Path("/", name)))
    for name in _ETC:
        source = Path("/etc", name)
        if source.is_dir():
            shutil.copytree(source, root / "etc" / name, symlinks=True)
        elif source.exists():
            shutil.copy2(source, root / "etc" / name)
    for name in _DEVICES:
        (root / "dev" / name).touch()
    for name, target in _LINKS.items():
        (root / "dev" / name).symlink_to(target)
    (root / "dev" / "shm").mkdir()
    for place in _system():
        (root / str(place).lstrip("/")).mkdir(parents=True, exist_ok=True)


def _system() -> list[Path]:
    """Folders of this machine's programs; links among them are links in the root, too."""
    found = [Path("/", n) for n in ("usr", "bin", "sbin", "lib", "lib32", "lib64")]
    found = [place for place in found if place.is_dir() and not place.is_symlink()]
    python = Path(sys.base_prefix)
    return found if any(python.is_relative_to(place) for place in found) else [*found, python]


@dataclass
class Entry:
    """How a root is entered.

    read_only: folders of this machine by the path where they are seen; writable: the same, to be written.
    """

    root: Path
    environ: Mapping[str, str]
    workdir: str = "/"
    read_only: dict[str, Path] = field(default_factory=dict)
    writable: dict[str, Path] = field(default_factory=dict)
    tmpfs: tuple[str, ...] = ()
    user: str | None = None  # uid:gid without any right, else root
    root_read_only: bool = False

    def command(self, words: Sequence[str]) -> list[str]:
        """What starts `words` in the root; the process keeps its id, so a signal reaches them."""
        return ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-ec", self._script(words)]

    def run(self, words: Sequence[str], **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(words), env=dict(self.environ), capture_output=True, text=True, cwd="/", **more
        )

    def start(self, words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a command whose words go to a file."""
        with log.open("ab") as file:
            return subprocess.Popen(
                self.command(words), env=dict(self.environ), stdout=file, stderr=file, cwd="/", stdin=subprocess.DEVNULL
            )  # fmt: skip

    def _script(self, words: Sequence[str]) -> str:
        lines = [_bind(self.root, self.root)]
        for place in _system():
            inside = self.root / str(place).lstrip("/")
            lines += [_bind(place, inside), f"mount -o remount,bind,ro {inside}"]
        lines += [
            f"mount --rbind /proc {self.root}/proc",
            f"mount -t tmpfs -o size=64m none {self.root}/dev/shm",
        ]
        lines += [_bind(Path("/dev", name), self.root / "dev" / name) for name in _DEVICES]
        for path, folder in self.writable.items():
            lines += [_bind(folder, self.root / path.lstrip("/"))]
        for path, folder in self.read_only.items():
            inside = self.root / path.lstrip("/")
            lines += [_bind(folder, inside), f"mount -o remount,bind,ro {inside}"]
        lines += [
            f"mount -t tmpfs -o mode=1777,nosuid,nodev,noexec none {self.root}{path}" for path in self.tmpfs
        ]
        if self.root_read_only:
            lines += [f"mount -o remount,bind,ro {self.root}"]
        lines += ["exec " + shlex.join(["chroot", str(self.root), *self._as_user(), *words])]
        return "\n".join(lines)

    def _as_user(self) -> list[str]:
        there = ["/usr/bin/env", f"--chdir={self.workdir}"]
        if self.user is None:
            return there
        uid, _, gid = self.user.partition(":")
        return [
            "/usr/bin/setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs", "--inh-caps=-all",
            "--bounding-set=-all", *there,
        ]  # fmt: skip


def _bind(source: Path, target: Path) -> str:
    return f"mount --bind {shlex.quote(str(source))} {shlex.quote(str(target))}"
