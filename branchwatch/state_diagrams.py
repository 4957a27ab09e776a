"""The state diagrams of the documentation, drawn from the transition tables."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from maintenance.transitions import TRANSITIONS, Target, ways_back
from rules.lifecycle import TABLE

_START: Final = "[*]"

_PAGE: Final = """\
# {title}

{text}

Drawn from `{source}` by `python -m branchwatch.documents`; a test holds the two together.

```mermaid
stateDiagram-v2
{arrows}
```
"""


def _arrows(moves: Iterable[tuple[str, str, str]]) -> str:
    """One arrow for each pair of states, with every command that leads along it."""
    along: dict[tuple[str, str], list[str]] = defaultdict(list)
    for before, after, label in moves:
        along[before, after].append(label)
    return "\n".join(f"    {before} --> {after}: {', '.join(labels)}" for (before, after), labels in along.items())


def work_orders() -> str:
    """Page of the work orders' states."""
    moves: list[tuple[str, str, str]] = [(_START, "new", "a fault asks for work")]
    for row in TRANSITIONS.values():
        label = f"{row.command} (automatic)" if row.automatic else str(row.command)
        if isinstance(row.target, Target):
            moves += [(row.state, back, label) for back in sorted(ways_back(row.state))]
        else:
            moves.append((row.state, row.target, label))
    return _PAGE.format(
        title="States of a work order",
        text="Automatic commands are given by a clock or by telemetry, never by a person.",
        source="maintenance/transitions.py",
        arrows=_arrows(moves),
    )


def faults() -> str:
    """Page of the faults' states."""
    return _PAGE.format(
        title="States of a fault",
        text="After ISA-18.2: whether the condition is active, whether somebody acknowledged it, and whether a latch holds.",
        source="rules/lifecycle.py",
        arrows=_arrows((before or _START, after, transition) for (before, transition), after in TABLE.items()),
    )
