"""Who may speak to a server without accounts: this machine, and no foreign site through a browser on it.

A page of another site can make a browser on this machine send requests here. It is stopped twice: a Host header that does
not name this machine is refused (DNS rebinding), and so is a command that says it comes from another origin.
"""

import re
from typing import Final

from aiohttp import web

from console.api import problem
from console.api.problem import RequestRefused
from console.settings import is_loopback

_HOST: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE: Final = frozenset({"same-origin", "none"})


def refuse_foreigners(request: web.Request) -> None:
    """Check where a request comes from.

    Raises:
        RequestRefused: ``host_not_allowed`` or ``cross_origin``.
    """
    host = _host_of(request.headers.get("Host", ""))
    if host is None or not is_loopback(host):
        got = request.headers.get("Host", "nothing")[:200]
        raise RequestRefused(problem.FOREIGN_HOST, f"Host: expected localhost or a loopback address, got {got}")
    if request.method in _SAFE_METHODS:
        return
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() != f"http://{request.headers['Host']}".lower():
        raise RequestRefused(problem.FOREIGN_ORIGIN, f"Origin: expected http://{request.host}, got {origin[:200]}")
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in _OWN_SITE:
        raise RequestRefused(problem.FOREIGN_ORIGIN, f"Sec-Fetch-Site: expected same-origin, got {site[:50]}")


def _host_of(header: str) -> str | None:
    match = _HOST.fullmatch(header)
    return match and match["host"].strip("[]")
