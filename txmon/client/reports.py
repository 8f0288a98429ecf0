"""What the client asks of the vault of reports.

Part of `Client`, which sends and sends again; owns the names of the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from txmon.client import reportwork, wire
from txmon.client.base import Budget
from txmon.client.options import Doors
from txmon.client.types import Page, object_of, page_of

T = TypeVar("T")


class _Client(Protocol):
    _budget: Budget
    _doors: Doors

    def _ask(self, call: wire.Call, read: Callable[[Any], T], budget: Budget) -> T: ...


class Reports:
    """See the module. To a key that the vault does not let in, all of it is not found."""

    def reports(self: _Client, *, purpose: str, **filters: Any) -> Page:
        """Return a page of reports; filters are those of ``GET /v1/vault/reports``.

        Raises:
            Refused, AccessDenied, Unavailable.
        """
        return self._ask(wire.query(reportwork.REPORTS, filters, purpose), page_of, self._budget)

    def reminders(self: _Client, *, purpose: str) -> Page:
        """Return what is due, the most urgent first. Raises as `reports`."""
        return self._ask(wire.query(reportwork.REMINDERS, {}, purpose), page_of, self._budget)

    def report(self: _Client, report_id: str, part: str | None = None, *, purpose: str) -> dict[str, Any]:
        """Return a report with its model, or its ``comments``, ``kept`` or ``files/FORMAT``.

        Raises:
            Refused (reason ``not_found``), AccessDenied, Unavailable.
        """
        return self._ask(reportwork.report_call(report_id, part, purpose), object_of, self._budget)

    def draft_report(
        self: _Client, case_id: str, formats: Iterable[str], *, jurisdiction: str | None = None
    ) -> dict[str, Any]:
        """Draft a report from a case; returns its ``report_id``, ``version`` and ``state``.

        Raises:
            Refused, AccessDenied, Unavailable.
        """
        call = reportwork.drafting(case_id, formats, jurisdiction, self._doors.new_key())
        return self._ask(call, object_of, self._budget)

    def edit_report(
        self: _Client, report_id: str, version: int, model: Mapping[str, Any], *,
        formats: Iterable[str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Put another model of a draft in place, as `report` gave it; returns the new ``version``.

        Raises:
            Refused (reason ``conflict``: read it again; after a lost connection it may be this very change),
            AccessDenied, Unavailable, InputError.
        """
        call = reportwork.editing(report_id, version, model, formats)
        return self._ask(call, object_of, self._budget)

    def do_with_report(
        self: _Client, report_id: str, part: str, version: int | None = None, **values: Any
    ) -> dict[str, Any]:
        """Do something with a report: ``signature``, ``submission``, ``release``, ``return``, ``no-file`` ...

        ``check`` and ``comments`` need no version. Raises as `edit_report`.
        """
        call = reportwork.doing(report_id, part, version, values, self._doors.new_key())
        return self._ask(call, object_of, self._budget)
