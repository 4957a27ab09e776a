"""The one page: files from the package, held in memory, with headers that let it load nothing from elsewhere."""

import hashlib
from importlib.resources import files
from typing import Final

from aiohttp import web

_MEDIA_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""On every response."""


def add_page(app: web.Application) -> None:
    """Serve ``/`` and the files under ``/static/``."""
    for entry in files("console.api").joinpath("static").iterdir():
        suffix = entry.name[entry.name.rfind(".") :]
        if suffix not in _MEDIA_TYPES:
            continue
        path = "/" if entry.name == "index.html" else f"/static/{entry.name}"
        app.router.add_get(path, _File(entry.read_bytes(), _MEDIA_TYPES[suffix]).serve)


class _File:
    def __init__(self, content: bytes, media_type: str) -> None:
        self._content = content
        self._media_type = media_type
        self._tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'

    async def serve(self, request: web.Request) -> web.Response:
        headers = {"ETag": self._tag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == self._tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=self._content, content_type=self._media_type, charset="utf-8", headers=headers)
