"""The wheel holds everything that runs, not only the Python files."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = (
    "branchwatch",
    "collector",
    "console",
    "contracts",
    "gateway",
    "maintenance",
    "migrations",
    "rules",
    "runtime",
    "simulators",
)


def test_the_wheel_holds_every_file_of_every_room(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", str(tmp_path), str(ROOT)],
        check=True, timeout=100,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("branchwatch-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", *ROOMS], cwd=ROOT, check=True, capture_output=True, text=True, timeout=20
    )
    missing = [name for name in tracked.stdout.splitlines() if name not in packed]
    assert tracked.stdout
    assert missing == []
    assert not [name for name in packed if name.startswith(("tests/", "bench/", "docs/"))]
