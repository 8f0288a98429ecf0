"""goAML's web service ("B2B"): log-in, upload of one report as XML or ZIP, the status of what was uploaded.

There is no public specification; paths, names and the words of a status are options, with those that public
descriptions agree on as defaults. Hold them against the unit's own guide, on its test site, before the first
report. The service knows no idempotency key: a report always goes under one file name and one
`entity_reference`, and after an end that is not known the service is asked for that reference before anything
is sent again. Owns this order and what an answer means.
"""

# ruff: noqa: RUF009 - `said` only makes an immutable dataclass field
from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from txmon.errors import ConfigError
from txmon.filing.errors import FilingFailed, FilingRefused, FilingRejected
from txmon.filing.filing import Filing, Receipt
from txmon.filing.guarded import Acknowledgement, Outcome
from txmon.filing.transports import Tools
from txmon.filing.transports.goamlsaid import REMEDY, clean, findings
from txmon.filing.transports.goamlwire import Account, Answer, Passing, Wire, check_url
from txmon.filing.transports.options import said, secret
from txmon.reports.formats import Finding
from txmon.reports.goamltext import parse

_KEY = re.compile(r"[A-Za-z0-9._:{}()\-]{1,200}")
_KEY_NAMES = ("ReportKey", "reportkey", "reportKey", "report_key", "key")
_LONGEST_S = 120.0
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Options:
    """What the file may say of a service."""

    url: str = said("address of the service, https, without the paths below")
    user: str = said("user name at the service")
    password_file: Path = said("file of mode 600 with the password, one line")
    client_code: str = said("client code, where the unit gave one", "")
    auth: str = said("`token`: log in first; `basic`: name and password each time", "token")
    package: str = said("`zip` or `xml`: how a report is uploaded", "zip")
    ca_file: Path | None = said(
        "certificates that alone vouch for the service, PEM; unset: the system's", None
    )
    timeout_s: float = said("longest exchange, seconds", 60.0)
    tries: int = said("tries of one hand-over", 4)
    pause_s: float = said("pause after the first failed try, doubled after each further one, seconds", 2.0)
    most_bytes: int = said("largest upload that the unit takes, bytes", 20 * 2**20)
    login_path: str = said("path of the log-in", "/api/Authenticate/GetToken")
    upload_path: str = said("path of the upload", "/api/Reports/PostReport")
    status_path: str = said("path of the list of reports", "/odata/Odata/OdataReports")
    cookie: str = said("name of the cookie that carries the token", "SqlAuthCookie")
    field: str = said("name of the form's part with the file", "report")
    key_name: str = said("name of the service's own key of a report, in its list", "ReportKey")
    reference_name: str = said(
        "name of `entity_reference` in its list; empty: it cannot be asked", "EntityReference"
    )
    status_name: str = said("name of the status in its list", "Status")
    errors_name: str = said("name of the errors in its list", "Errors")
    accepted: str = said("words of the status, by commas, that mean accepted", "Accepted,Processed")
    rejected: str = said(
        "words of the status, by commas, that mean rejected",
        "Rejected,Failed Validation,Invalid Structure",
    )

    def __post_init__(self) -> None:
        check_url(self.url)
        if self.auth not in ("token", "basic"):
            raise ConfigError("auth: must be token or basic")
        if self.package not in ("zip", "xml"):
            raise ConfigError("package: must be zip or xml")
        if not (0 < self.timeout_s <= 600 and 1 <= self.tries <= 20 and 0 <= self.pause_s <= _LONGEST_S):
            raise ConfigError("timeout_s: above 0, at most 600; tries: 1 to 20; pause_s: 0 to 120")
        for name in ("login_path", "upload_path", "status_path"):
            if not re.fullmatch(r"/[A-Za-z0-9/._~-]*", getattr(self, name)):
                raise ConfigError(f"{name}: must begin with / and hold no query")
        for name in ("cookie", "field", "key_name", "status_name", "errors_name"):
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", getattr(self, name)):
                raise ConfigError(f"{name}: must be one word")
        if not re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)?", self.reference_name):
            raise ConfigError("reference_name: must be one word or empty")


def channel(options: Options, tools: Tools) -> GoamlRest:
    """Return the channel of a service.

    Raises:
        ConfigError: the password or the certificates cannot be read.
    """
    password = secret(options.password_file, f"{tools.name}.password_file")
    account = Account(
        options.user, password, options.client_code, options.auth, options.login_path, options.cookie
    )
    wire = Wire(options.url, account, options.timeout_s, options.ca_file, tools.clock)
    return GoamlRest(options, tools, wire)


@dataclass(frozen=True)
class GoamlRest:
    """See the module."""

    options: Options
    tools: Tools
    wire: Wire

    def deliver(self, filing: Filing, *, unsure: bool) -> str:
        """See `Channel`."""
        reference = _reference(filing)
        name, content, kind = self._packed(filing)
        if len(content) > self.options.most_bytes:
            raise FilingRefused(
                "size",
                f"the upload has {len(content)} bytes, the unit takes {self.options.most_bytes}; split it",
            )
        for attempt in range(self.options.tries):
            try:
                if unsure and (found := self._look(reference)):
                    return found
                answer = self.wire.upload(self.options.upload_path, self.options.field, name, content, kind)
                return self._key(answer) or self._refusal(answer, reference, filing, unsure=unsure)
            except Passing as error:
                unsure = unsure or error.unsure
                if attempt + 1 == self.options.tries or (unsure and not self.options.reference_name):
                    raise FilingFailed(error.detail + self._advice(unsure=unsure), unsure=unsure) from error
                pause = max(self.options.pause_s * 2**attempt, error.asked_s or 0.0)
                self.tools.sleep(min(pause, _LONGEST_S))
            except FilingFailed as error:
                raise FilingFailed(error.detail, unsure=unsure or error.unsure) from error
        raise AssertionError("every try ends by itself")

    def _advice(self, *, unsure: bool) -> str:
        if unsure and not self.options.reference_name:
            return "; whether it arrived is not known: ask the unit, then say so"
        return ""

    def _key(self, answer: Answer) -> str:
        """Return the service's key of an upload that it took, empty where it did not take it."""
        if answer.status not in (200, 201, 202):
            return ""
        found = answer.said()
        if isinstance(found, dict):
            found = next(
                (found[name] for name in (self.options.key_name, *_KEY_NAMES) if name in found), None
            )
        key = str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""
        if not _KEY.fullmatch(key):
            raise Passing("the service took the upload and gave no key that can be read", unsure=True)
        return key

    def _refusal(self, answer: Answer, reference: str, filing: Filing, *, unsure: bool) -> str:
        """Return the key of what is there already; raise what the service has against the report."""
        if answer.status in (404, 405):
            raise FilingFailed(
                f"the service has no upload there ({answer.status}); check url and upload_path"
            )
        if answer.status not in (400, 409, 413, 415, 422):
            raise FilingFailed(
                f"the service answered {answer.status}; ask the unit what that means", unsure=True
            )
        if (
            (unsure or answer.status == 409)
            and self.options.reference_name
            and (found := self._look(reference))
        ):
            return found
        told = findings(answer.said(), filing.content)
        raise FilingRejected(
            f"the service does not take the report ({answer.status})", told or _UNTOLD, unsure=unsure
        )

    def _look(self, reference: str) -> str:
        """Return the key under which the service has a reference, empty where it has none.

        Raises:
            FilingRejected: it has it and rejected it. FilingFailed: it cannot be asked.
        """
        if not self.options.reference_name:
            raise FilingFailed("whether it arrived is not known" + self._advice(unsure=True), unsure=True)
        try:
            rows = self._rows(self.options.reference_name, reference)
        except Passing as error:
            raise Passing(error.detail, unsure=True, asked_s=error.asked_s) from error
        except FilingFailed as error:
            raise FilingFailed(error.detail, unsure=True) from error
        keys = [str(row[self.options.key_name]) for row in rows if not self._is(row, self.options.rejected)]
        if rows and not keys:
            told = self._told(rows[0], b"")
            raise FilingRejected("the service has the report and rejected it", told, unsure=True)
        return keys[0] if keys else ""

    def outcome(self, receipt: Receipt, content: bytes) -> Outcome:
        """Ask for the status of a report by the service's key of it."""
        rows = self._rows(self.options.key_name, receipt.reference)
        if not rows:
            return Outcome(state="pending", words="not listed")
        row = rows[0]
        words = clean(str(row.get(self.options.status_name) or ""))
        if self._is(row, self.options.accepted):
            return Outcome(state="accepted", words=words)
        if self._is(row, self.options.rejected):
            return Outcome(state="rejected", words=words, findings=self._told(row, content))
        return Outcome(state="pending", words=words)

    def _rows(self, name: str, value: str) -> list[Mapping[str, Any]]:
        """Return the rows of the service's list in which `name` is `value`; its filter is not relied on."""
        quoted = value.replace("'", "''")
        answer = self.wire.ask(self.options.status_path, {"$filter": f"{name} eq '{quoted}'"})
        found = answer.said()
        rows = found.get("value") if isinstance(found, dict) else None
        if answer.status != 200 or not isinstance(rows, list):
            raise FilingFailed(
                f"the service's list of reports cannot be read ({answer.status}); check status_path"
            )
        fit: list[Mapping[str, Any]] = [
            row for row in rows if isinstance(row, dict) and str(row.get(name, "")) == value
        ]
        if any(not _KEY.fullmatch(str(row.get(self.options.key_name, ""))) for row in fit):
            raise FilingFailed(f"the service's list has no {self.options.key_name}; check key_name")
        return fit

    def _is(self, row: Mapping[str, Any], words: str) -> bool:
        status = str(row.get(self.options.status_name) or "").strip().casefold()
        return status in {word.strip().casefold() for word in words.split(",")}

    def _told(self, row: Mapping[str, Any], content: bytes) -> list[Finding]:
        told = row.get(self.options.errors_name)
        if isinstance(told, str) and told.lstrip()[:1] in ("[", "{"):
            told = Answer(200, told.encode()).said()
        return findings(told, content) or list(_UNTOLD)

    def _packed(self, filing: Filing) -> tuple[str, bytes, str]:
        """Return name, bytes and media type of the upload; the same report gives the same."""
        if self.options.package == "xml":
            return filing.filename, filing.content, "application/xml"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            entry = zipfile.ZipInfo(filing.filename, _ZIP_TIME)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            archive.writestr(entry, filing.content)
        return f"{filing.filename.removesuffix('.xml')}.zip", packed.getvalue(), "application/zip"

    def acknowledgements(self) -> list[Acknowledgement]:
        """A service leaves no files; it is asked by `outcome`."""
        return []

    def taken(self, one: Acknowledgement) -> None:
        """See `acknowledgements`."""
        raise FilingFailed(f"{self.tools.name} leaves no files; {one.filename} is of another transport")


_UNTOLD = (
    Finding(
        code="authority",
        path="report",
        message="is not taken, and the service does not say why",
        remedy=REMEDY,
    ),
)


def _reference(filing: Filing) -> str:
    root, _ = parse(filing.content)
    found = "" if root is None else (root.findtext("entity_reference") or "").strip()
    if not found:
        raise FilingRefused("invalid", "the report has no entity_reference; write it anew from the model")
    return found
