"""Checks of the machine: room, file system, fsync, compiled kernels, open files, memory, processors.

Owns what is enough. Writes one small file beside the store, to time its fsync, and removes it.
"""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from txmon.doctor.ground import SNAPSHOTS, Ground
from txmon.doctor.report import FAIL, OK, WARN, Finding
from txmon.jit import cache_folder

_MIB, _GIB = 1 << 20, 1 << 30
_DISK_SHARE, _INODE_SHARE = 0.15, 0.05
_FSYNCS, _FSYNC_SLOW_S, _FSYNC_BYTES = 7, 0.05, 4096
_FILES_LEAST, _FILES_GOOD = 256, 4096
_PROCESS_BYTES = 600 * _MIB  # the service without events, with the packs that ship
STATE_FACTOR = 6.0  # bytes in memory for each byte of a snapshot; docs/capacity.md
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs", "fuse.glusterfs")
_GONE = ("tmpfs", "ramfs")


def disk_free(ground: Ground) -> Iterator[Finding]:
    """Compare free bytes with what the service demands."""
    usage = shutil.disk_usage(ground.standing)
    least = ground.settings.disk_free_bytes
    found = f"{usage.free / _GIB:.1f} of {usage.total / _GIB:.1f} GiB are free at {ground.standing}"
    remedy = "make room, move the store, or drop old days with `txmon store retain`"
    if usage.free < least:
        yield Finding(FAIL, f"{found}; {least / _GIB:.2f} GiB must be (TXMON_DISK_FREE_BYTES)", remedy)
    elif usage.free < max(_DISK_SHARE * usage.total, 2 * least):
        yield Finding(WARN, found, remedy)
    else:
        yield Finding(OK, found)


def disk_inodes(ground: Ground) -> Iterator[Finding]:
    """Look whether more files can be made."""
    found = os.statvfs(ground.standing)
    if not found.f_files:
        yield Finding(OK, "the file system has no fixed number of files")
        return
    share = found.f_favail / found.f_files
    text = f"{found.f_favail:,} of {found.f_files:,} inodes are free"
    if share >= _INODE_SHARE:
        yield Finding(OK, text)
    else:
        status = WARN if found.f_favail > 1000 else FAIL
        yield Finding(status, text, "remove small files, or move the store to a file system with more")


def disk_filesystem(ground: Ground) -> Iterator[Finding]:
    """Name the file system, and say where the journal is not safe on it."""
    kind, options, point = mount_of(ground.standing)
    found = f"{ground.standing} is on {kind}, mounted at {point}"
    if "ro" in options:
        yield Finding(FAIL, f"{found}, for reading only", "mount it for writing, or name another folder")
    elif kind in _NETWORK:
        status = WARN if ground.settings.store_is_database else FAIL
        remedy = "use a disk of this machine, or PostgreSQL: locks and fsync of a network are not the disk's"
        yield Finding(status, found, remedy)
    elif kind in _GONE:
        status = FAIL if ground.settings.production else WARN
        yield Finding(status, f"{found}, which is gone with the next boot", "put the store on a disk")
    elif kind == "overlay":
        status = FAIL if ground.settings.production else WARN
        yield Finding(status, f"{found}, a container's own layer", "mount a volume for the store")
    else:
        yield Finding(OK, found)


def mount_of(path: Path, table: Path = Path("/proc/self/mountinfo")) -> tuple[str, tuple[str, ...], str]:
    """Return type, options and mount point of the file system that holds a path."""
    place = path.resolve()
    best: tuple[str, tuple[str, ...], str] = ("unknown", ("rw",), "/")
    depth = -1
    for line in table.read_text(encoding="utf-8").splitlines() if table.exists() else ():
        head, _, tail = line.partition(" - ")
        parts = head.split()
        point = Path(parts[4].encode().decode("unicode_escape"))
        if place.is_relative_to(point) and len(point.parts) >= depth:
            options = (*parts[5].split(","), *tail.split()[2].split(","))
            best, depth = (tail.split()[0], options, str(point)), len(point.parts)
    return best


def disk_fsync(ground: Ground) -> Iterator[Finding]:
    """Write a few blocks beside the store and time until the disk says that it has them."""
    path = ground.standing / f".txmon-doctor-{ground.random_bytes(8).hex()}"
    times = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for _ in range(_FSYNCS):
            os.write(file, bytes(_FSYNC_BYTES))
            started = ground.monotonic()
            os.fsync(file)
            times.append(ground.monotonic() - started)
    finally:
        os.close(file)
        path.unlink()
    middle = median(times)
    found = f"fsync takes {middle * 1000:.2f} ms (median of {_FSYNCS}, longest {max(times) * 1000:.2f} ms)"
    if middle <= _FSYNC_SLOW_S:
        yield Finding(OK, found)
    else:
        yield Finding(WARN, found, "every commit waits for it: use a faster disk for the store")


def kernels(_ground: Ground) -> Iterator[Finding]:
    """Look whether compiled code is there and can be kept."""
    folder = cache_folder()
    standing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(standing, os.W_OK | os.X_OK):
        text = f"compiled code cannot be kept in {folder}"
        remedy = "make it writable or name another with NUMBA_CACHE_DIR: each start compiles for a minute"
        yield Finding(WARN, text, remedy)
        return
    count = sum(1 for _ in folder.rglob("*.nbi")) if folder.exists() else 0
    if count:
        yield Finding(OK, f"{count} compiled functions are kept in {folder}")
    else:
        remedy = "the first start takes a minute longer; run `txmon score` or a start beforehand"
        yield Finding(WARN, f"nothing is compiled yet in {folder}", remedy)


def open_files(_ground: Ground) -> Iterator[Finding]:
    """Compare the limit of open files with what connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"{_limit(soft)} open files are allowed, {_limit(hard)} at most"
    remedy = f"raise it: `ulimit -n {_FILES_GOOD}`, or LimitNOFILE= of its systemd unit"
    if soft != resource.RLIM_INFINITY and soft < _FILES_GOOD:
        yield Finding(FAIL if soft < _FILES_LEAST else WARN, found, remedy)
    else:
        yield Finding(OK, found)


def _limit(value: int) -> str:
    return "any number of" if value == resource.RLIM_INFINITY else f"{value:,}"


def memory(ground: Ground) -> Iterator[Finding]:
    """Compare memory with what the state of the newest snapshot takes."""
    total, available = memory_bytes()
    snapshots = sorted((ground.folder / SNAPSHOTS).glob("*.arrow"))
    state = int(snapshots[-1].stat().st_size * STATE_FACTOR) if snapshots else 0
    need = _PROCESS_BYTES + state
    found = (
        f"{total / _GIB:.1f} GiB of memory, {available / _GIB:.1f} free; about {need / _GIB:.1f} are needed"
    )
    remedy = "give it more memory, or shorten windows and TXMON_DEDUP_DAYS; see docs/capacity.md"
    if need > total:
        yield Finding(FAIL, found, remedy)
    elif need > 0.7 * total:
        yield Finding(WARN, found, remedy)
    else:
        yield Finding(OK, found)


def memory_bytes(
    info: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup/memory.max")
) -> tuple[int, int]:
    """Return how much memory there is for this process and how much of it is free, bytes."""
    sizes = {
        name: int(value.split()[0]) * 1024
        for name, _, value in (line.partition(":") for line in info.read_text(encoding="ascii").splitlines())
    }
    total, available = sizes["MemTotal"], sizes["MemAvailable"]
    if group.exists() and (text := group.read_text(encoding="ascii").strip()).isdecimal():
        total = min(total, int(text))
    return total, min(available, total)


def processors(_ground: Ground) -> Iterator[Finding]:
    """Count processors: one scores, one answers and stores."""
    count = len(os.sched_getaffinity(0))
    if count >= 2:
        yield Finding(OK, f"{count} processors")
    else:
        yield Finding(WARN, "1 processor", "give it two: scoring and answering share one else")
