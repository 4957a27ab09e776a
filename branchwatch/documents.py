"""Pages of the documentation that are written from the code: ``python -m branchwatch.documents``."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from branchwatch import settings_reference, state_diagrams

PAGES: Final = {
    "fault-states.md": state_diagrams.faults,
    "settings.md": settings_reference.page,
    "work-order-states.md": state_diagrams.work_orders,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write all pages into ``docs/`` below the working directory.

    Args:
        arguments: of the command line; there are none but ``--help``.
    """
    parser = argparse.ArgumentParser(
        prog="python -m branchwatch.documents",
        description="Writes the pages of the documentation that come from the code, below the working directory:"
        " 由代码生成文档页面：",
        epilog=", ".join(f"docs/{name}" for name in PAGES),
    )
    parser.parse_args(arguments)
    for name, write in PAGES.items():
        (Path("docs") / name).write_text(write(), encoding="utf-8")


if __name__ == "__main__":
    main()
