"""The kinds of clauses a rule's condition is made of, one module each.

A clause is written in a rule file (``Clause``) and bound to the signal it watches (``Check``). A kind is added by a module
with both, and by its line in :data:`Clause`.
"""

from typing import Annotated, Any, TypeAlias

from pydantic import Discriminator, Tag

from rules.kinds.absence import AbsenceClause
from rules.kinds.event import EventClause
from rules.kinds.every import EveryClause
from rules.kinds.increase import IncreaseClause
from rules.kinds.state import StateClause
from rules.kinds.threshold import ThresholdClause

KEYS = ("state", "threshold", "absent", "increase", "event", "every")
"""The key that names a clause's kind."""


def _kind(value: Any) -> str | None:
    if isinstance(value, dict):
        found = [key for key in KEYS if key in value]
        return found[0] if len(found) == 1 else None
    return next((key for key in KEYS if hasattr(value, key)), None)


Clause: TypeAlias = Annotated[
    Annotated[StateClause, Tag("state")]
    | Annotated[ThresholdClause, Tag("threshold")]
    | Annotated[AbsenceClause, Tag("absent")]
    | Annotated[IncreaseClause, Tag("increase")]
    | Annotated[EventClause, Tag("event")]
    | Annotated[EveryClause, Tag("every")],
    Discriminator(
        _kind,
        custom_error_type="clause_kind",
        custom_error_message="expected exactly one of the keys state, threshold, absent, increase, event, every",
    ),
]
