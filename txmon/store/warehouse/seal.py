"""The seal of a warehouse that was closed in order: size and SHA-256 of its DuckDB file.

DuckDB has a checksum in every block that it reads, but not in those that it does not; the seal covers the
whole file while nobody has it open. Without one, only DuckDB's own checks speak. Owns the seal's file.
"""

from __future__ import annotations

from hashlib import file_digest
from pathlib import Path

from txmon.store.warehouse import layout
from txmon.store.warehouse.files import sync, written


def put(folder: Path) -> None:
    """Seal the DuckDB file; it is closed."""
    path = folder / layout.SEAL
    beside = path.with_name(path.name + ".new")
    with written("sealing the warehouse"):
        beside.write_text(_line(folder / layout.DATABASE), encoding="ascii")
        sync(beside)
        beside.replace(path)
        sync(folder)


def lift(folder: Path) -> None:
    """Remove the seal: the file is about to change."""
    with written("opening the warehouse"):
        (folder / layout.SEAL).unlink(missing_ok=True)
        sync(folder)


def broken(folder: Path) -> bool:
    """Say whether there is a seal and the file is not what was sealed."""
    path = folder / layout.SEAL
    if not path.exists():
        return False
    return path.read_bytes() != _line(folder / layout.DATABASE).encode()


def _line(path: Path) -> str:
    with path.open("rb") as file:
        return f"{file_digest(file, 'sha256').hexdigest()} {path.stat().st_size}\n"
