"""A throw-away PostgreSQL server from Debian's package."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path


class PostgresServer:
    """Runs in a directory of its own on a loopback port; ends by its own control program.

    The directory is not among pytest's: these are closed to PostgreSQL's own user whenever a session begins.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._databases = 0
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not found:
            raise RuntimeError(
                "PostgreSQL is missing: run `make test`, which installs it, or install the package postgresql"
            )
        self._bin = found[-1]
        self._home = Path(tempfile.mkdtemp(prefix="branchwatch-postgresql-"))
        self._data = self._home / "data"
        # PostgreSQL refuses to run as root; Debian's package brings a user for it.
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self._home, account.pw_uid, account.pw_gid)
            self._as_user = [shutil.which("runuser") or "runuser", "-u", "postgres", "--"]

    def start(self) -> None:
        self._run("initdb", "--pgdata", str(self._data), "--auth", "trust", "--username", "postgres", "--no-sync")
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._run("pg_ctl", "--pgdata", str(self._data), "--wait", "--log", f"{self._data}.log", "-o", options, "start")

    def new_database(self) -> str:
        """Create an empty database and give its SQLAlchemy URL."""
        self._databases += 1
        name = f"ops{self._databases}"
        self._run("createdb", "--host", "127.0.0.1", "--port", str(self._port), "--username", "postgres", name)
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self._port}/{name}"

    def restart(self, mode: str) -> None:
        """Stop and start again: ``fast`` ends connections in order, ``immediate`` as a crash does."""
        self._run(
            "pg_ctl", "--pgdata", str(self._data), "--wait", "--mode", mode, "--log", f"{self._data}.log", "restart"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "--pgdata", str(self._data), "--wait", "--mode", "immediate", "stop")
        shutil.rmtree(self._home)

    def _run(self, program: str, *args: str) -> None:
        subprocess.run(
            [*self._as_user, str(self._bin / program), *args],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, timeout=60, cwd="/",
        )  # fmt: skip
