"""The console's page and its files; public, since they hold nothing: all data come by the API, with a key.

Owns these routes; what is in the files is `txmon.console`'s.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from txmon.api.context import Exchange, Parts
from txmon.api.personal import Asked
from txmon.api.problems import Problem
from txmon.console import FILES, HEADERS, PAGE

FileName = Annotated[str, Path(max_length=64, description="a file of the console", examples=["app.js"])]


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/console")
    async def show_console(exchange: Asked) -> Response:
        return _sent(parts, exchange, PAGE)

    @router.get("/console/{file}")
    async def show_console_file(exchange: Asked, file: FileName) -> Response:
        return _sent(parts, exchange, file)


def _sent(parts: Parts, exchange: Exchange, name: str) -> Response:
    found = FILES.get(name) if parts.settings.console else None
    if found is None:
        raise Problem("not_found", "no route has this path; /openapi.json lists them all")
    headers = dict(HEADERS) | {"etag": found.etag}
    given = exchange.headers.get(b"if-none-match", b"").decode("latin-1")
    if found.etag in [each.strip().removeprefix("W/") for each in given.split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(found.body, headers=headers | {"content-type": found.kind})
