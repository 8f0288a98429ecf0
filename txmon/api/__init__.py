"""The HTTP API: an ASGI application in front of the service.

    create_app(service, settings=, metrics=, access=, audit=, clock=, log=, decode=None, wake=None) -> App
    app.routes; app.close(); await app.aclose()
    document()                       the OpenAPI document; `python -m txmon.api` writes it to api/openapi.json

Owns what callers see: routes, who may use them, shapes, errors. What is decided and stored is the pipeline's
and the store's.
"""

from __future__ import annotations

from txmon.api.app import App, create_app, document

__all__ = ["App", "create_app", "document"]
