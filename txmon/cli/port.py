"""The service's port: the API behind uvicorn, in a thread of its own, and what it must write once a second.

Owns starting, draining and stopping the server; what it answers is `txmon.api`'s.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import uvicorn

from txmon.api import create_app
from txmon.cli.running import ANSWERS_SHARE, new_intake
from txmon.errors import ConfigError, TxmonError
from txmon.pipeline.errand import Errand
from txmon.pipeline.housekeeping import Chore
from txmon.pipeline.service import Service
from txmon.pipeline.work import Decoded, Sender
from txmon.store import Tx
from txmon.store.access import Access
from txmon.store.audit import AuditLog
from txmon.store.warehouse.layout import FOLDER

_START_S, _KEEP_ALIVE_S = 30.0, 75
_LAST_NOTES_S, _NOTICED_S = 1.0, 0.3


class Port:
    """See the module."""

    def __init__(self, service: Service, wake: Callable[[], None] | None = None) -> None:
        self._service, doors, settings = service, service.doors, service.settings
        self.access, self.audit = Access(service.store), AuditLog(service.store)
        self._notes = Errand(service.change, self._write_notes)
        self._app = create_app(
            service, settings=settings, metrics=service.metrics, access=self.access, audit=self.audit,
            clock=doors.clock, log=doors.log, decode=self._decoder, wake=wake,
            warehouse=service.folder / FOLDER if settings.warehouse else None,
        )  # fmt: skip
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                host=settings.host,
                port=settings.port,
                loop="uvloop",
                http="httptools",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=max(1, int(settings.shutdown_seconds * ANSWERS_SHARE)),
                ssl_certfile=settings.tls_cert_file,
                ssl_keyfile=settings.tls_key_file,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="txmon-port", daemon=True)
        self._problem: BaseException | None = None

    @property
    def chores(self) -> Sequence[Chore]:
        """What is due once a second."""
        return (self._take_notes,)

    @property
    def address(self) -> str:
        """The address it really listens on, once it has started."""
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        scheme = "https" if self._service.settings.tls_cert_file is not None else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    @property
    def failed(self) -> bool:
        """Whether the server has ended by itself."""
        return not self._thread.is_alive()

    def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        self._thread.start()
        waited = threading.Event()
        for _ in range(int(_START_S / 0.02)):
            if self._server.started or self.failed:
                break
            waited.wait(0.02)
        if not self._server.started:
            settings = self._service.settings
            raise ConfigError(
                f"cannot listen on {settings.host}:{settings.port}; choose another with --host and --port"
            )

    def drain(self) -> None:
        """Take no new connection; requests under way are answered, streams end."""
        self._server.should_exit = True
        self._app.close()

    def stop(self) -> None:
        """Wait until the last answer is out, and write the last notes; both need the writer at work."""
        self.drain()
        self._thread.join(self._service.settings.shutdown_seconds * ANSWERS_SHARE + _NOTICED_S)
        try:
            self._service.change(self._write_notes).result(timeout=_LAST_NOTES_S)
        except (TxmonError, TimeoutError) as error:  # the store is away, and the service must stop
            self._service.doors.log.error("notes.lost", count=self.audit.waiting, exc_info=error)

    def _serve(self) -> None:
        try:
            self._server.run()
        except (SystemExit, OSError) as error:  # how uvicorn says that it cannot start
            self._problem = error

    def _take_notes(self) -> None:
        if self.audit.waiting or self.access.unwritten:
            self._notes.run()

    def _write_notes(self, tx: Tx) -> None:
        self.audit.write(tx)
        self.access.write_last_used(tx)

    def _decoder(self, sender: Sender) -> Callable[[Sequence[bytes]], Decoded]:
        """A decoder for one bulk request, which decodes beside the writer."""
        intake = new_intake(self._service)
        return lambda payloads: intake.decode(sender, payloads)
