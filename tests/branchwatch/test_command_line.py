"""The command line as a newcomer uses it, wrong arguments included."""

import os
import re
import signal
import socket
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from tests.conftest import free_port


def run(*arguments: str, cwd: Path, timeout: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "branchwatch", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def test_help_says_what_there_is_in_both_languages(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    for command in ("demo", "server", "gateway", "simulate", "db"):
        assert command in done.stdout
    assert "监测银行与电信网点设备" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dance"], "No such command 'dance'"),
        (["demo", "--branches", "0"], "0 is not in the range"),
        (["demo", "--branches", "many"], "'many' is not a valid integer"),
        (["demo", "--duration", "5"], "scenario demo needs at least 75 seconds"),
        (["demo", "--report", "r.json"], "--report needs --duration"),
        (["demo", "--duration", "90", "--report", "no/r.json"], "does not exist"),
        (
            ["demo", "--scenario", "nothing.yaml"],
            "cannot be read: No such file or directory; those included are: cameras, cash_day, demo,",
        ),
        (["gateway", "run"], "Missing argument 'SETTINGS...'"),
        (["gateway", "check"], "Missing argument 'SETTINGS'"),
        (["gateway", "--chek"], "No such option '--chek'"),
        (["gateway", "nowhere.yaml"], "nowhere.yaml: cannot be read: No such file"),
        (["server", "--settings", "nowhere.yaml"], "nowhere.yaml: cannot be read: No such file"),
        (["simulate"], "Missing option '--directory'"),
        (["simulate", "--directory", "d", "--rate", "10"], "--rate needs --load"),
        (["simulate", "--directory", "d", "--branches", "5000"], "need 80000 ports from 20000 on; there is room for"),
        (["simulate", "--load", "--directory", "d"], "--directory cannot be used with --load"),
        (["simulate", "--load", "--no-failures"], "--failures cannot be used with --load"),
        (["simulate", "--load", "--scenario", "demo"], "--scenario cannot be used with --load"),
        (["simulate", "--load", "--first-port", "20000"], "--first-port cannot be used with --load"),
        (["simulate", "--load", "--mishaps"], "--mishaps cannot be used with --load"),
        (["simulate", "--directory", "d", "--pack-readings", "50"], "--pack-readings needs --load"),
        (["gateway", "chek", "g.yaml"], "No such command or file 'chek'. Did you mean 'check'?"),
        (["gateway", "discver", "10.0.0.1"], "Did you mean 'discover'?"),
        (["db"], "upgrade"),
    ],
)
def test_a_mistake_is_named_without_a_traceback(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_every_wrong_setting_of_a_gateway_is_named_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(
        "branch_id: 'BR 1'\ndevices:\n  - {id: a, kind: toaster, connection: {driver: xfs, host: h}}\n"
        "  - {id: b, kind: atm, connection: {driver: modbus}}\nuplnk: {}\n"
    )
    done = run("gateway", "g.yaml", cwd=tmp_path)
    assert done.returncode == 2
    for said in ("g.yaml: branch_id = 'BR 1'", "devices.0.kind = 'toaster'", "modbus", "uplnk", "unknown key"):
        assert said in done.stderr


def test_one_branch_in_two_settings_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("branch_id: BR0001\n")
    done = run("gateway", "a.yaml", "b.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "branch_id = 'BR0001' is in two settings files; a branch has one gateway" in done.stderr


def test_an_override_of_a_rule_that_does_not_exist_keeps_the_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("rules: {overrides: {atm.cdm.jm: {on_delay_s: 3}}}\n")
    done = run("server", "--settings", "s.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "rules.overrides.atm.cdm.jm: no such rule" in done.stderr


def test_a_console_on_the_network_is_refused_with_the_reason(tmp_path: Path) -> None:
    done = run("server", cwd=tmp_path, BRANCHWATCH_CONSOLE__HOST="0.0.0.0")
    assert done.returncode == 2
    assert "BRANCHWATCH_CONSOLE__HOST = '0.0.0.0'" in done.stderr
    assert "no accounts yet" in done.stderr


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    done = run("server", cwd=tmp_path)
    assert (done.returncode, "data_dir = 'data': cannot be made: File exists" in done.stderr) == (2, True)


@pytest.mark.parametrize("arguments", [["simulate", "--directory"], ["demo", "--data-dir"]])
def test_a_directory_that_cannot_be_made_is_named(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(*arguments, "file/inside", cwd=tmp_path)
    assert done.returncode == 2
    assert "file/inside: cannot be made: Not a directory" in done.stderr


def test_a_scenario_that_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    text = (files("simulators") / "scenarios" / "demo.yaml").read_text(encoding="utf-8")
    (tmp_path / "odd.yaml").write_text(re.sub("inject: [a-z_]+", "inject: moth", text, count=1))
    (tmp_path / "temporary").mkdir()
    arguments = ("demo", "--scenario", "odd.yaml", "--port", "0")
    for more in ((), ("--data-dir", "kept")):
        done = run(*arguments, *more, cwd=tmp_path, TMPDIR=str(tmp_path / "temporary"))
        assert done.returncode == 2
        assert "no failure 'moth'; there are " in done.stderr
    assert not (tmp_path / "kept").exists()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_second_demonstration_in_the_data_of_the_first_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "server.yaml").write_text("")
    done = run("demo", "--data-dir", "old", cwd=tmp_path)
    assert done.returncode == 2
    assert "--data-dir old holds an earlier demonstration" in done.stderr


def test_a_taken_port_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        demo = run("demo", "--port", port, cwd=tmp_path)
        broker = run("server", cwd=tmp_path, BRANCHWATCH_BROKER__PORT=port, BRANCHWATCH_CONSOLE__PORT="0")
        console = run("server", cwd=tmp_path, BRANCHWATCH_BROKER__PORT=str(free_port()), BRANCHWATCH_CONSOLE__PORT=port)
    assert (demo.returncode, f"port {port} is taken" in demo.stderr) == (2, True)
    assert (broker.returncode, "set broker.port" in broker.stderr) == (2, True)
    assert (console.returncode, "set console.port" in console.stderr) == (2, True)
    assert "Traceback" not in demo.stderr + broker.stderr + console.stderr


def test_the_tables_are_made_by_db_upgrade(tmp_path: Path) -> None:
    done = run("db", "upgrade", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "The ops database is up to date.\n")
    assert (tmp_path / "data" / "ops.db").is_file()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_ends_in_order_with_status_0(number: signal.Signals, tmp_path: Path) -> None:
    environment = {**os.environ, "BRANCHWATCH_BROKER__PORT": str(free_port()), "BRANCHWATCH_CONSOLE__PORT": "0"}
    with subprocess.Popen(
        [sys.executable, "-m", "branchwatch", "server"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        for line in server.stderr:
            if "Branchwatch answers at http://127.0.0.1:" in line:
                break
        server.send_signal(number)
        rest = server.stderr.read()
        assert server.wait(timeout=30) == 0
    assert "Traceback" not in rest
