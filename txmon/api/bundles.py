"""The evidence bundle of an alert: made beside the service, noted, and sent as one ZIP.

    POST /v1/alerts/{alert_id}/evidence   {"profile": "court"}

Who may not see the alert is told that there is none. A bundle leaves only if that can be noted in the custody
log. One is made at a time. Owns this route and the file until it is sent.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from txmon.api.alerts import alert_row
from txmon.api.context import Exchange, Parts
from txmon.api.personal import Asked, note_read, require_purpose
from txmon.api.problems import Problem, retry_after
from txmon.api.shapes import BundleWish, OurId
from txmon.errors import ConfigError
from txmon.evidence.apart import Job, make
from txmon.evidence.custody import Maker, note, noted
from txmon.evidence.signing import default_key_path

_FOLDER = ".evidence-"
_CHUNK = 1 << 16
_RETRY_S = 10


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""
    turn = threading.Lock()

    @router.post("/v1/alerts/{alert_id}/evidence")
    def export_evidence(exchange: Asked, alert_id: OurId, wish: BundleWish) -> Response:
        with parts.store.read() as conn:
            alert_row(conn, exchange.who, alert_id)
        purpose = require_purpose(exchange, "what an alert rests on")
        if not turn.acquire(blocking=False):
            detail = "another bundle is being made; ask again when it is done"
            raise Problem("busy", detail, headers=(retry_after(_RETRY_S),))
        try:
            note_read(parts, exchange, "alert.evidence", alert_id)
            return _made(parts, exchange, alert_id, (wish.profile, purpose))
        finally:
            turn.release()


def _made(parts: Parts, exchange: Exchange, alert_id: str, wish: tuple[str, str]) -> Response:
    """Make the bundle, note it, and answer with it; its file goes when it is sent."""
    settings, (profile, purpose) = parts.settings, wish
    state = settings.state_dir if settings.store_is_database else Path(settings.store)
    for left in state.glob(f"{_FOLDER}*"):  # of a process that was killed while it made one
        shutil.rmtree(left)
    state.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=state))
    maker = Maker(exchange.who.identity, purpose, parts.clock.now_us())
    out, key = folder / "bundle.zip", settings.evidence_key or default_key_path()
    job = Job(
        parts.store.place, alert_id, str(out), str(key), maker.by, maker.purpose, maker.now_us, profile,
        settings.evidence_memory_mb, settings.evidence_seconds,
    )  # fmt: skip
    try:
        made = make(job)
        note(state, noted(made, alert_id, profile, maker))
        file = out.open("rb")
    except ConfigError as error:  # no key, or no room for the note: nothing that who asks can mend
        parts.log.error("evidence.failed", exc_info=error)
        raise Problem(
            "state", "the service has no usable key or log for bundles; its log says more"
        ) from None
    finally:
        shutil.rmtree(folder)  # what is open can be read to its end
    headers = {
        "content-disposition": f'attachment; filename="evidence-{profile}.zip"',
        "content-length": str(made["size"]), "x-content-sha256": made["sha256"],
    }  # fmt: skip
    return StreamingResponse(_sent(file), media_type="application/zip", headers=headers)


def _sent(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
