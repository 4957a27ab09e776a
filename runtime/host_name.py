"""The name or address of a computer or device, as it stands in settings."""

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

_NAME = re.compile(r"\w[\w.-]*")


def _host(value: str) -> str:
    if _NAME.fullmatch(value) or is_address(value):
        return value
    if "://" in value or "/" in value:
        alone = _host_of(value if "://" in value else f"//{value}")
        raise ValueError(f"expected a name or an address alone{alone}; it is not the place for a URL")
    if ":" in value:
        raise ValueError(f"expected a name or an address alone{_host_of(f'//{value}')}; a port has a key of its own")
    raise ValueError("expected a name such as cam-01.branch.example or an address such as 192.0.2.7")


def is_address(text: str) -> bool:
    """Whether a text is an IP address, and not a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _host_of(url: str) -> str:
    try:
        found = urlsplit(url).hostname
    except ValueError:
        return ""
    return f": {found}" if found is not None and (_NAME.fullmatch(found) or is_address(found)) else ""


Host = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_host)]
"""A name or an IP address without anything around it."""
