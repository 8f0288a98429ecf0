"""A folder that another program empties: reports appear whole, their hash beside them, and never change.

The hash comes first (`NAME.sha256`, as `sha256sum -c` reads it), then the report under its name, by a link
that fails where there is one already. In another folder that program leaves acknowledgements; a file is
taken when its hash beside it fits or nobody has written to it for a while. Owns these two folders.
"""

# ruff: noqa: RUF009 - `said` only makes an immutable dataclass field
from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from txmon.errors import ConfigError
from txmon.filing.errors import FilingFailed, FilingRefused
from txmon.filing.filing import Filing, Receipt
from txmon.filing.guarded import Acknowledgement, Outcome
from txmon.filing.receipts import private, put, sync
from txmon.filing.transports import Tools
from txmon.filing.transports.options import said

_HASH = ".sha256"
_UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload", _HASH)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,199}")
_MOST = 16 * 2**20  # bytes of an acknowledgement


@dataclass(frozen=True)
class Options:
    """What the file may say of a folder."""

    folder: Path = said("folder that reports are put into, mode 700")
    acknowledgements: Path | None = said("folder that answers are left in, mode 700; unset: none", None)
    settle_s: int = said("how long an answer without a hash must have been left alone, seconds", 30)

    def __post_init__(self) -> None:
        if self.settle_s < 0:
            raise ConfigError("settle_s: must be 0 or more seconds")


def channel(options: Options, tools: Tools) -> FileDrop:
    """Return the channel of a folder."""
    return FileDrop(options, tools)


@dataclass(frozen=True)
class FileDrop:
    """See the module."""

    options: Options
    tools: Tools

    def deliver(self, filing: Filing, *, unsure: bool) -> str:  # noqa: ARG002 - it always looks first
        """Put a report into the folder; one that is there already is recognised by its bytes.

        After an earlier try whose end nobody knows (`unsure`), a report that is not there is put there again,
        under the same name with the same bytes: whoever reads the folder knows it by its hash.
        """
        folder = private(self.options.folder, f"{self.tools.name}.folder")
        final = folder / filing.filename
        try:
            if final.exists():
                self._there(final, filing)
            else:
                put(folder / f"{filing.filename}{_HASH}", _line(filing.sha256, filing.filename))
                self._appear(final, filing)
            _clear(folder, filing)
        except OSError as error:
            raise FilingFailed(
                f"{folder} cannot be written to ({error.strerror}); make room or mend it, then send again"
            ) from error
        return filing.filename

    def _appear(self, final: Path, filing: Filing) -> None:
        beside = final.with_name(_ready(filing))
        put(beside, filing.content)
        try:
            os.link(beside, final)
        except FileExistsError:
            beside.unlink()
            self._there(final, filing)
        sync(final.parent)

    def _there(self, final: Path, filing: Filing) -> None:
        """Mend the hash of a report that is there already; refuse where it is another one."""
        found = hashlib.sha256(final.read_bytes()).hexdigest()
        put(final.with_name(f"{final.name}{_HASH}"), _line(found, final.name))
        if found != filing.sha256:
            raise FilingRefused(
                "exists", "the folder has another file of this name, and nothing is overwritten; move it away"
            )

    def outcome(self, receipt: Receipt, content: bytes) -> Outcome:  # noqa: ARG002 - a folder says nothing by itself
        """A folder says nothing of a report; acknowledgements do."""
        return Outcome(state="pending", words="in the folder" if self._lies(receipt) else "taken")

    def _lies(self, receipt: Receipt) -> bool:
        return (self.options.folder / receipt.reference).exists()

    def acknowledgements(self) -> list[Acknowledgement]:
        """See `Channel`."""
        if self.options.acknowledgements is None:
            return []
        folder = private(self.options.acknowledgements, f"{self.tools.name}.acknowledgements")
        try:
            names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False))
            found = [self._answer(folder / name) for name in names if _is_whole_name(name)]
        except OSError as error:
            raise FilingFailed(
                f"{folder} cannot be read ({error.strerror}); mend it and look again"
            ) from error
        return [one for one in found if one is not None]

    def _answer(self, path: Path) -> Acknowledgement | None:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None  # somebody else took it
        with os.fdopen(handle, "rb") as file:
            before = os.fstat(file.fileno())
            content = file.read(_MOST + 1)
            after = os.fstat(file.fileno())
        if len(content) > _MOST:
            raise FilingFailed(
                f"{path.name} in the folder of answers is over {_MOST} bytes; take it away by hand"
            )
        found = hashlib.sha256(content).hexdigest()
        stated = _stated(path)
        if stated is not None and stated != found:
            return None  # half-written, or not the file that its hash is for
        age_s = self.tools.clock.now_us() / 1e6 - after.st_mtime
        changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
        if stated is None and (changed or age_s < self.options.settle_s or not content):
            return None
        return Acknowledgement(
            transport=self.tools.name, filename=path.name, content=content, sha256=found, place=str(path)
        )

    def taken(self, one: Acknowledgement) -> None:
        """Move an answer into `taken/`; a later one of the same name gets its hash into its name."""
        source = Path(one.place)
        aside = source.parent / "taken"
        try:
            aside.mkdir(mode=0o700, exist_ok=True)
            name = (
                one.filename if not (aside / one.filename).exists() else f"{one.sha256[:16]}-{one.filename}"
            )
            source.replace(aside / name)
            with suppress(FileNotFoundError):
                source.with_name(f"{source.name}{_HASH}").replace(aside / f"{name}{_HASH}")
            sync(aside)
            sync(source.parent)
        except OSError as error:
            raise FilingFailed(f"{source.parent}: cannot move ({error.strerror}); mend it") from error


def _is_whole_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and not name.lower().endswith(_UNFINISHED)


def _stated(path: Path) -> str | None:
    """Return the hash that stands beside a file, null where there is none."""
    try:
        words = path.with_name(f"{path.name}{_HASH}").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""
    return words[0].lower() if words else ""


def _ready(filing: Filing) -> str:
    return f".{filing.sha256[:32]}.ready"


def _clear(folder: Path, filing: Filing) -> None:
    """Remove what this try, or an earlier one that was killed, wrote on the way."""
    for name in (_ready(filing), f".{_ready(filing)}.part", f".{filing.filename}{_HASH}.part"):
        (folder / name).unlink(missing_ok=True)


def _line(sha256: str, name: str) -> bytes:
    return f"{sha256}  {name}\n".encode()
