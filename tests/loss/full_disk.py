"""Ways in which a disk takes nothing more from a running gateway, and takes again."""

import os
import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

FullDisk = Callable[[int, Path], AbstractContextManager[None]]
"""Makes the disk full for a process that keeps its files in a directory."""


@contextmanager
def no_more_bytes(pid: int, directory: Path) -> Iterator[None]:
    """Every write to a file fails, as the system's own bound on the size of files: needs no privileges."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def no_more_room(pid: int, directory: Path) -> Iterator[None]:
    """Something else fills the file system to the last byte; see :func:`small_file_system`."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            with_room = True
            while with_room:
                try:
                    with_room = file.write(b"x" * size) == size
                except OSError:
                    with_room = False
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def small_file_system(directory: Path) -> Iterator[None]:
    """A file system of 16 MB, room for the outbox and its journal, at a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(directory)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True, capture_output=True)


def can_mount() -> bool:
    """Whether this process may mount file systems; on most machines only root may."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as directory:
        try:
            with small_file_system(Path(directory)):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False
