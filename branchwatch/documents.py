"""Pages of the documentation that are written from the code: ``python -m branchwatch.documents``."""

from pathlib import Path
from typing import Final

from branchwatch import settings_reference, state_diagrams

PAGES: Final = {
    "fault-states.md": state_diagrams.faults,
    "settings.md": settings_reference.page,
    "work-order-states.md": state_diagrams.work_orders,
}


def main() -> None:
    """Write all pages into ``docs/`` below the working directory."""
    for name, write in PAGES.items():
        (Path("docs") / name).write_text(write(), encoding="utf-8")


if __name__ == "__main__":
    main()
