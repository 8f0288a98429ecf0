"""What the client raises.

    ClientError
    ├── Unavailable   no answer that can be used in time; the same call may succeed later
    ├── Refused       the service answered and did not take the request; it will not later either
    └── AccessDenied  the key is unknown, expired, revoked or may not do this

Texts name codes and remedies; a body, a key or a value of an event is never in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from txmon.errors import TxmonError

if TYPE_CHECKING:
    from txmon.client.types import BulkResult


class ClientError(TxmonError):
    """Base of what a call of the service may end with.

    Attributes:
        reason: a stable word: the service's `code`, or one of the client's own.
        http_status: of the answer, None where there was none.
    """

    code = "client"
    status = 502

    def __init__(self, detail: str, *, reason: str, http_status: int | None = None) -> None:
        super().__init__(detail)
        self.reason, self.http_status = reason, http_status


class Unavailable(ClientError):
    """The service did not answer usably within the time-out; what was sent may have been stored.

    Attributes:
        retry_after_s: what the service asked for, seconds.
        done: of a bulk transfer, what was stored before.
    """

    code = "unavailable"
    status = 503

    def __init__(
        self,
        detail: str,
        *,
        reason: str,
        http_status: int | None = None,
        retry_after_s: float | None = None,
        done: BulkResult | None = None,
    ) -> None:
        super().__init__(detail, reason=reason, http_status=http_status)
        self.retry_after_s, self.done = retry_after_s, done


class Refused(ClientError):
    """The request is wrong as it is; sending it again changes nothing."""

    code = "refused"
    status = 422


class AccessDenied(ClientError):
    """The key does not open this."""

    code = "access_denied"
    status = 403
