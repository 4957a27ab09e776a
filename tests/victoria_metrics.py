"""Debian's VictoriaMetrics: a server of another maker with the v2 write route itself."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from runtime.process import die_with_parent

_WAIT_S: Final = 60.0


class VictoriaMetrics:
    """A server that runs.

    Args:
        url: where it answers.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def points(self, match: str) -> dict[tuple[tuple[str, str], ...], list[tuple[int, float]]]:
        """All it has of some series, by their labels, as (milliseconds, value); by its own query API."""
        self._get("/internal/force_flush")  # what was written last is not yet searched otherwise
        found = {}
        for line in self._get("/api/v1/export", **{"match[]": match}).splitlines():
            series: dict[str, Any] = json.loads(line)
            labels = tuple(sorted(series["metric"].items()))
            found[labels] = sorted(zip(series["timestamps"], series["values"], strict=True))
        return found

    def answers(self) -> bool:
        try:
            self._get("/health")
        except (urllib.error.URLError, OSError):
            return False
        return True

    def _get(self, path: str, **query: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(query)}", timeout=10) as response:
            text: bytes = response.read()
            return text.decode()


@contextmanager
def victoria_metrics(directory: Path, port: int) -> Iterator[VictoriaMetrics]:
    """Run a server in a directory of its own."""
    program = shutil.which("victoria-metrics")
    assert program is not None, "victoria-metrics is missing: run `make test`, or install the package"
    directory.mkdir()
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program, f"-storageDataPath={directory / 'data'}", f"-httpListenAddr=127.0.0.1:{port}",
                "-retentionPeriod=100y", "-memory.allowedBytes=128MB",
            ],
            stdout=log, stderr=log, preexec_fn=die_with_parent,  # noqa: PLW1509  (one call of the C library)
        )  # fmt: skip
    try:
        server = VictoriaMetrics(f"http://127.0.0.1:{port}")
        end = time.monotonic() + _WAIT_S
        while not server.answers():
            assert process.poll() is None, (directory / "log").read_text()[-2000:]
            assert time.monotonic() < end, "victoria-metrics does not answer"
            time.sleep(0.05)  # between two questions, up to _WAIT_S
        yield server
    finally:
        process.kill()
        process.wait(_WAIT_S)
