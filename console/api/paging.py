"""Pages of lists: newest first by id, or in the order of a text key, with an opaque cursor to the next page."""

import base64
import binascii
from typing import Final

from pydantic import Field

from console.api import problem
from console.api.endpoint import Inputs
from console.api.problem import FieldProblem, RequestRefused

MOST: Final = 500


class PageQuery(Inputs):
    """Which part of a list."""

    limit: int = Field(default=100, ge=1, le=MOST, description="most items to give")
    cursor: str | None = Field(
        default=None, max_length=300, description="next_cursor of the page before; none: the first page"
    )


def cursor_of(key: str | int) -> str:
    """Make the cursor that continues after ``key``."""
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def key_of(cursor: str | None) -> str | None:
    """Read the key out of a cursor.

    Raises:
        RequestRefused: the cursor is not one of ours.
    """
    if cursor is None:
        return None
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _refused(cursor) from error


def id_of(cursor: str | None) -> int | None:
    """Read an id out of a cursor.

    Raises:
        RequestRefused: the cursor is not one of ours.
    """
    key = key_of(cursor)
    if key is None:
        return None
    if not (key.isascii() and key.isdecimal() and len(key) < 19):
        raise _refused(cursor or "")
    return int(key)


def _refused(cursor: str) -> RequestRefused:
    expected = "next_cursor of an earlier page, unchanged"
    return RequestRefused(
        problem.INVALID,
        f"query.cursor: expected {expected}, got {cursor!r}",
        [FieldProblem(where="query.cursor", expected=expected, got=cursor)],
    )
