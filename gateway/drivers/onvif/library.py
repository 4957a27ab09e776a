"""What is used of onvif-zeep-async, imported without letting it set up the process's logs.

Used are its service descriptions, the messages built and read from them, the authentication and what it knows of cameras'
quirks. Not used are its subscription managers, which start tasks that nobody owns, and its sessions, which read answers of any
size. Imported only where a camera is read: it costs 15 MB, and 25 MB more for the descriptions, which all cameras of the
process share.
"""

import logging

_root = logging.getLogger()
_before = (_root.handlers[:], _root.level)

from onvif import ONVIFCamera  # type: ignore[import-untyped]  # noqa: E402
from onvif.zeep_aiohttp import AIOHTTPTransport  # type: ignore[import-untyped]  # noqa: E402

_root.handlers[:] = _before[0]
_root.setLevel(_before[1])
for _noisy in ("onvif", "zeep"):  # they write the camera's answers, and tracebacks for odd dates
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)

__all__ = ["AIOHTTPTransport", "ONVIFCamera"]
