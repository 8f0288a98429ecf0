"""What no transport lets through, whoever asks: the last look at the bytes before they leave.

A filing must be live by its flag and by its bytes, be the bytes that were released, pass its own format's
validator, and be one that the vault says is released now. Owns the order of these; sends nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

from txmon.clock import Clock, rfc3339
from txmon.errors import ConfigError
from txmon.filing.errors import FilingRefused
from txmon.filing.filing import Filing
from txmon.filing.marks import Unreadable, marks
from txmon.reports import checks, formats
from txmon.reports.formats import Format, Options
from txmon.reports.model import Mode

Released = Callable[[Filing], bool]  # whether these very bytes are released and were not withdrawn
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


@dataclass(frozen=True)
class Gate:
    """Looks at filings for one transport; `options` are the schema and profile of its jurisdictions."""

    released: Released
    options: Options
    clock: Clock

    def check(self, filing: Filing) -> None:
        """Look at a filing.

        Raises:
            FilingRefused: it may not leave.
        """
        if filing.mode is not Mode.LIVE:
            raise FilingRefused(
                "not_live", f"the report is {filing.mode}: only live reports leave; file from live events"
            )
        form = _format(filing)
        if not _NAME.fullmatch(filing.filename) or not filing.filename.endswith(form.suffix):
            raise FilingRefused(
                "filename",
                f"the file's name must be at most 120 of A-Z a-z 0-9 . _ - and end in {form.suffix}",
            )
        found = hashlib.sha256(filing.content).hexdigest()
        if not hmac.compare_digest(found.encode(), filing.sha256.encode("utf-8", "replace")):
            raise FilingRefused(
                "hash", "the bytes are not those of the stated SHA-256; read the report from the vault anew"
            )
        _unmarked(filing)
        options = _today(self.options, self.clock)
        wrong = checks.errors(form.validate(filing.content, options))
        if wrong:
            raise FilingRefused("invalid", f"the bytes do not pass the validator of {form.name}", wrong)
        if self.released(filing) is not True:
            raise FilingRefused(
                "not_released", "the report is not released; somebody who did not write it releases it first"
            )


def _format(filing: Filing) -> Format:
    try:
        return formats.get(filing.format)
    except ConfigError as error:
        raise FilingRefused("format", error.detail) from error


def _unmarked(filing: Filing) -> None:
    try:
        places = marks(filing.format, filing.content)
    except KeyError:
        raise FilingRefused(
            "format", f"{filing.format} is for people to read and no authority's; file another format"
        ) from None
    except Unreadable as error:
        raise FilingRefused("invalid", f"the bytes are not of the format {filing.format}: {error}") from error
    if places:
        raise FilingRefused(
            "marked",
            f"the bytes say that they are simulated or a test ({', '.join(dict.fromkeys(places))}); "
            "file from live events",
        )


def _today(options: Options, clock: Clock) -> Options:
    today = rfc3339(clock.now_us())[:10]
    return Options(schema=options.schema, profile=options.profile, extra={**options.extra, "today": today})
