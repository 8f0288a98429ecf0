"""Types of the bodies and filters of the vault of reports.

Owns the checks that need no vault, as `txmon.api.shapes` does for the rest. A report's model is an object
here; `txmon.reports.modeljson` reads it.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from txmon.api.caseshapes import PersonId, Title
from txmon.api.shapes import Given, Moment, Named, PageFilter, Reason, Word, micros
from txmon.vault.grants import NewGrant

ReportState = Literal["draft", "pending_release", "released", "acknowledged", "rejected", "no_file"]
FormatName = Annotated[str, Field(pattern=r"^[a-z0-9]{1,20}(:[a-z0-9-]{1,20})?$", examples=["goaml"])]
Formats = Annotated[list[FormatName], Field(min_length=1, max_length=8)]
Base64 = Annotated[str, Field(min_length=4, max_length=128 << 20, pattern=r"^[A-Za-z0-9+/]+={0,2}$")]
Model = Annotated[
    dict[str, Any], Field(description='the neutral model: `{"version": 1, "report": {...}}`; docs/reports.md')
]


class ReportFilter(PageFilter):
    """Which reports."""

    state: ReportState | None = None
    case_id: Word | None = None


class LogFilter(PageFilter):
    """Which rows of the vault's log."""

    report_id: Word | None = None


class NewReport(Given):
    """A report to be drafted from a case, and the formats it is for."""

    case_id: Word
    formats: Formats
    jurisdiction: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = Field(
        None, description="left out: that of whoever files in these formats"
    )


class Sending(Given):
    """A released report to be handed to its authority, in one of its formats."""

    format: Word


class ReportText(Given):
    """What a draft is to say. formats: left out, they stay."""

    model: Model
    formats: Formats | None = None


class Checking(Given):
    """A model to be checked in the place of the stored one."""

    model: Model | None = None


class Nothing(Given):
    """No values."""


class MaybeWhy(Given):
    """A reason, if there is one."""

    reason: Reason | None = None


class _Whole(Given):
    """Something with bytes in base64."""

    @staticmethod
    def _bytes(content: str) -> bytes:
        return b64decode(content, validate=True)


class Evidence(_Whole):
    """An evidence bundle that is kept with the report."""

    name: Title
    content: Base64

    @model_validator(mode="after")
    def _base64(self) -> Evidence:
        _require_base64(self.content)
        return self

    @property
    def bytes(self) -> bytes:
        """The bundle itself."""
        return self._bytes(self.content)


class Releasing(Given):
    """A release."""

    reason: Reason | None = None
    evidence: Evidence | None = None


class NoFileDecision(Given):
    """A decision on whether no report is made."""

    approve: bool
    reason: Reason


class AuthorityError(Given):
    """What an authority finds wrong, at a field of the model."""

    path: Named
    message: Reason


class Acknowledgement(_Whole):
    """What the authority answered: its own file (`content`; FinCEN), or what a person read."""

    format: FormatName
    content: Base64 | None = None
    accepted: bool | None = None
    authority_id: Annotated[str, Field(max_length=100, pattern=r"^[ -~]*$")] = ""
    errors: list[AuthorityError] = Field([], max_length=200)

    @model_validator(mode="after")
    def _one_way(self) -> Acknowledgement:
        if (self.content is None) == (self.accepted is None):
            raise PydanticCustomError("which", "give the authority's file, or say what it answered")
        if self.content is not None:
            _require_base64(self.content)
            if self.format.partition(":")[0] != "fincen" or self.errors or self.authority_id:
                raise PydanticCustomError("which", "only FinCEN's own file is read, and it says all itself")
        return self

    @property
    def bytes(self) -> bytes:
        """The file itself."""
        return self._bytes(self.content or "")


class VaultGrant(Given):
    """Who is to be let in. from, until, reports: of an examiner, and of nobody else."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    person_id: PersonId
    role: Literal["mlro", "mlro_release", "examiner"]
    reason: Reason
    begins: Moment | None = Field(None, alias="from")
    until: Moment | None = None
    reports: list[Word] | None = Field(None, min_length=1, max_length=500)

    @property
    def new(self) -> NewGrant:
        """As the vault takes it."""
        reports = None if self.reports is None else tuple(self.reports)
        return NewGrant(
            self.person_id, self.role, self.reason, micros(self.begins), micros(self.until), reports
        )


class GrantDecision(Given):
    """A decision on a grant."""

    approve: bool
    reason: Reason


def _require_base64(content: str) -> None:
    if len(content) % 4:
        raise PydanticCustomError("base64", "the content is not base64 to its end")
