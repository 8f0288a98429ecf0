"""The console: a web application for analysts, served beside the API that it is made of.

    page = FILES["index.html"]; page.body, page.kind, page.etag

Owns the files below `static/` and the headers that keep them to themselves. Everything the pages do is a call
of the public API that a script could make: there is no route for them alone, and nothing is decided here.
"""

from txmon.console.files import FILES, HEADERS, PAGE, File

__all__ = ["FILES", "HEADERS", "PAGE", "File"]
