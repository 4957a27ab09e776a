"""The command ``branchwatch``.

Each command imports what it runs when it runs, so that help and mistakes are answered at once.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click
from click.core import ParameterSource

from branchwatch import __version__
from contracts.errors import BranchwatchError, ConfigurationError
from runtime.logs import configure_logs
from runtime.settings import LogSettings, SettingsT, load_settings
from simulators.scenario import load_scenario, scenario_names

if TYPE_CHECKING:
    from gateway.check import Finding

DEFAULT_PORT = 8080

_T = TypeVar("_T")

EXIT_FAILED = 1
EXIT_MISCONFIGURED = 2

_FILE = click.Path(path_type=Path, dir_okay=False)
_DIRECTORY = click.Path(path_type=Path, file_okay=False)


def main() -> None:
    """Entry point of the command."""
    commands(prog_name="branchwatch")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def commands() -> None:
    """Watches the equipment of bank and telecom branches and brings the right technician to what fails.

    监测银行与电信网点设备，并把合适的维修工程师派到故障现场。
    """


@commands.command()
@click.option("--branches", type=click.IntRange(1, 200), default=5, show_default=True, help="Simulated branches.")
@click.option(
    "--duration", type=click.FloatRange(min=1), metavar="SECONDS",
    help="End after so many seconds, check what came of it and report. Without it: until interrupted.",
)  # fmt: skip
@click.option("--report", type=_FILE, metavar="FILE", help="Write the report as JSON; needs --duration.")
@click.option(
    "--scenario", default="demo", show_default=True, metavar="NAME|FILE",
    help=f"What happens: {', '.join(scenario_names())}, or a YAML file.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="Port of the page."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same luck.")
@click.option("--data-dir", type=_DIRECTORY, help="Keep data and logs here; default: a temporary directory.")
def demo(
    branches: int,
    duration: float | None,
    report: Path | None,
    scenario: str,
    port: int,
    seed: int,
    data_dir: Path | None,
) -> None:
    """Show everything at work on simulated branches.

    在模拟网点上演示全部功能，可自行结束并给出结论。

    Starts a broker, a server, simulated devices and their gateways; lets things fail; and says where to look. With
    --duration it ends by itself: status 0 where everything expected came about and no reading was lost or doubled.
    """
    from branchwatch.demo import Demo, DemoOptions

    if report is not None and duration is None:
        raise click.UsageError("--report needs --duration: a demonstration without an end has no report")
    if report is not None and not report.resolve().parent.is_dir():
        raise click.BadParameter(f"directory {report.resolve().parent} does not exist", param_hint="--report")
    configure_logs(LogSettings(level="info"))
    loaded = _checked(lambda: load_scenario(scenario))
    if duration is not None and duration < loaded.needs_s:
        raise click.BadParameter(
            f"scenario {loaded.name} needs at least {loaded.needs_s:g} seconds", param_hint="--duration"
        )
    options = DemoOptions(branches, duration, loaded, port, seed, data_dir)
    running = Demo(options, click.echo)
    _run(running.run())
    if running.report is not None:
        click.echo(running.report.summary())
        if report is not None:
            report.write_text(running.report.model_dump_json(indent=2) + "\n", encoding="utf-8")
        sys.exit(0 if running.report.ok else EXIT_FAILED)


@commands.command()
@click.option("--settings", type=_FILE, metavar="FILE", help="Settings in YAML; default: built-in values.")
def server(settings: Path | None) -> None:
    """Run the server: collector, rules, maintenance and console.

    运行服务端：采集、规则、工单与控制台。

    Without settings it starts an embedded broker, keeps its data in ./data and shows its page on this machine only. Every
    setting can also be given as an environment variable: BRANCHWATCH_CONSOLE__PORT=8081.
    """
    from branchwatch.server import ServerSettings, run_server

    loaded = _load(ServerSettings, settings)
    configure_logs(loaded.log)
    _run(run_server(loaded, lambda url: click.echo(f"Branchwatch answers at {url}  已启动", err=True)))


class _RunByDefault(click.Group):
    """A group whose first word may also be an argument of its command ``run``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            near = get_close_matches(args[0], self.commands, n=1)
            if near and not args[0].startswith("-") and not Path(args[0]).exists():
                raise click.UsageError(f"No such command or file {args[0]!r}. Did you mean {near[0]!r}?", ctx)
            args = ["run", *args]
        return super().parse_args(ctx, args)


@commands.group(cls=_RunByDefault, subcommand_metavar="SETTINGS... | COMMAND [ARGS]...")
def gateway() -> None:
    """Run the gateway of a branch, as its SETTINGS file says; or check its settings, or look for devices.

    按设置文件运行一个网点的网关；也可检查设置、发现设备。
    """


@gateway.command("run")
@click.argument("settings", type=_FILE, nargs=-1, required=True)
def gateway_run(settings: Sequence[Path]) -> None:
    """Run the gateway of a branch; the word "run" may be left out.

    运行网点网关（可省略 run）。

    Several files run several gateways in one process; that is for demonstrations. SIGHUP makes it read the files again and
    take over what changed while it runs.
    """
    from branchwatch.gateway_process import run_gateways
    from gateway.settings import GatewaySettings

    def load() -> list[GatewaySettings]:
        return [load_settings(GatewaySettings, path) for path in settings]

    loaded = _checked(load)
    configure_logs(loaded[0].log)
    names = ", ".join(item.branch_id for item in loaded)
    _run(run_gateways(load, lambda: click.echo(f"Gateway runs: {names}  网关已运行", err=True)))


@gateway.command("check")
@click.argument("settings", type=_FILE)
@click.option(
    "--wait", type=click.FloatRange(1, 600), default=20, show_default=True, metavar="SECONDS",
    help="Longest wait for a device; one that calls by itself has to call within it.",
)  # fmt: skip
def gateway_check(settings: Path, wait: float) -> None:
    """Try everything a SETTINGS file names, and say what is wrong.

    检查设置文件中的每台设备、代理与磁盘，并说明问题所在。

    Stop the gateway first: it listens on the ports that alarm panels and push sensors call. Status 0 where all is well.
    """
    from gateway.check import check
    from gateway.settings import GatewaySettings
    from runtime.clock import SystemClock

    loaded = _load(GatewaySettings, settings)
    configure_logs(LogSettings(level="error"))
    findings: list[Finding] = []

    async def work() -> None:
        findings.extend(await check(loaded, SystemClock(), wait))

    _run(work())
    for finding in findings:
        click.echo(finding.line())
    sys.exit(0 if all(finding.ok for finding in findings) else EXIT_FAILED)


@gateway.command("discover")
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--branch", metavar="ID", help="Branch of the gateway, BR0421; then a whole settings file is written.")
@click.option(
    "--snmp-community", default="public", show_default=True, envvar="SNMP_COMMUNITY", show_envvar=True,
    help="Community to ask with; one of your own goes to one address only and is never written. Empty: no SNMP.",
)  # fmt: skip
@click.option("--snmp-port", type=click.IntRange(1, 65535), default=161, show_default=True, help="UDP port of agents.")
@click.option("--port", type=click.IntRange(1, 65535), multiple=True, help="TCP port to try beside the usual ones.")
@click.option("--username", default="", help="User to propose for devices with passwords; it is not sent.")
@click.option(
    "--wait", type=click.FloatRange(0.2, 60), default=3, show_default=True, metavar="SECONDS",
    help="Longest wait for one answer.",
)  # fmt: skip
@click.option("--most", type=click.IntRange(1, 4096), default=256, show_default=True, help="Addresses at most.")
@click.option("--multicast", is_flag=True, help="Also ask the whole local network for cameras.")
@click.option("--output", type=_FILE, metavar="FILE", help="Write a new file; default: print.")
def gateway_discover(
    addresses: Sequence[str],
    branch: str | None,
    snmp_community: str,
    snmp_port: int,
    port: Sequence[int],
    username: str,
    wait: float,
    most: int,
    multicast: bool,
    output: Path | None,
) -> None:
    """Look for devices at each ADDRESS and propose settings for them.

    在指定地址上查找设备，并生成网关设置草案。

    An ADDRESS is a name, an IP address, either with :PORT, or a network like 10.4.21.0/24. Only questions are asked that
    change nothing, and no password is sent. Status 0 where something was found.
    """
    from contracts.identity import is_branch_id
    from gateway.discovery.proposal import write
    from gateway.discovery.search import search
    from gateway.discovery.sighting import Manner, Report
    from gateway.discovery.target import targets
    from gateway.drivers.onvif.scout import own_addresses

    if not addresses and not multicast:
        raise click.UsageError("give an ADDRESS, or --multicast to ask the local network for cameras")
    if branch is not None and not is_branch_id(branch):
        raise click.BadParameter(
            f"{branch!r}: expected a letter or digit, then at most 31 of A-Z a-z 0-9 _ - as in BR0421",
            param_hint="--branch",
        )
    if output is not None and output.exists():
        raise click.BadParameter(
            f"{output} exists already and is not overwritten; name another file, or remove it", param_hint="--output"
        )
    if output is not None and not output.resolve().parent.is_dir():
        raise click.BadParameter(
            f"directory {output.resolve().parent} does not exist; make it first", param_hint="--output"
        )
    places = _checked(lambda: targets(addresses, more_ports=port, snmp_port=snmp_port, most=most))
    manner = _checked(lambda: Manner.asking(places, wait, snmp_community, username))
    configure_logs(LogSettings(level="error"))
    reports: list[Report] = []

    async def work() -> None:
        reports.extend(await search(places, manner, own_addresses() if multicast else (), most))

    _run(work())
    text = write(reports, branch)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.touch(mode=0o600)  # passwords will be filled in
        output.write_text(text, encoding="utf-8")
        click.echo(f"Proposal in {output}; complete it, then: branchwatch gateway check {output}  设置草案已写入")
    sys.exit(0 if any(report.sightings for report in reports) else EXIT_FAILED)


@commands.command()
@click.option("--branches", type=click.IntRange(1, 20_000), default=1, show_default=True, help="Simulated branches.")
@click.option(
    "--directory", type=_DIRECTORY, help="Where to write the gateways' settings files; needed without --load."
)
@click.option("--broker-host", default="127.0.0.1", show_default=True, help="Broker the gateways shall use.")
@click.option("--broker-port", type=click.IntRange(1, 65535), default=1883, show_default=True)
@click.option(
    "--scenario", default="demo", show_default=True, metavar="NAME|FILE",
    help=f"Pace of the day and what fails: {', '.join(scenario_names())}, or a YAML file.",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same luck.")
@click.option(
    "--first-port", type=click.IntRange(1024, 65000), default=20000, show_default=True,
    help="First of the ports used, 16 a branch.",
)  # fmt: skip
@click.option("--failures/--no-failures", default=False, show_default=True, help="Let the scenario's steps happen.")
@click.option(
    "--mishaps/--no-mishaps", default=False, show_default=True,
    help="Let things also break by themselves, as often as real ones.",
)  # fmt: skip
@click.option(
    "--load", is_flag=True,
    help="No devices: publish packs to the broker as the gateways of so many branches would. For trials of a server of"
    " their own: it keeps these branches, LD00001 and on, for good.",
)  # fmt: skip
@click.option(
    "--rate", type=click.FloatRange(min=1), metavar="READINGS",
    help="With --load: readings a second of all branches together; default: as many as the broker takes.",
)  # fmt: skip
@click.option(
    "--pack-readings", type=click.IntRange(10, 1000), default=100, show_default=True,
    help="With --load: readings of a pack, about.",
)  # fmt: skip
@click.option(
    "--connections", type=click.IntRange(1, 64), default=4, show_default=True, help="With --load: connections used."
)
@click.option(
    "--duration", type=click.FloatRange(min=1), metavar="SECONDS", help="With --load: end after so many seconds."
)
@click.pass_context
def simulate(
    context: click.Context,
    branches: int,
    directory: Path | None,
    broker_host: str,
    broker_port: int,
    scenario: str,
    seed: int,
    first_port: int,
    failures: bool,
    mishaps: bool,
    load: bool,
    rate: float | None,
    pack_readings: int,
    connections: int,
    duration: float | None,
) -> None:
    """Simulate the devices of branches, each on its own protocol, until interrupted.

    按各自协议模拟网点设备，直到中断。加 --load 则不模拟设备，直接产生大量网关数据包。

    Writes one gateway settings file a branch; start their gateways with: branchwatch gateway DIRECTORY/*.yaml

    With --load each run appears at the server as branches LD00001 and on, whose devices stay in its list, disconnected, after
    the end: use a broker and a server that are there for the trial only.
    """
    from branchwatch.simulation import run_load, run_simulation

    _refuse_useless(context, _OF_DEVICES if load else _OF_LOAD, "cannot be used with" if load else "needs")
    configure_logs(LogSettings(level="info"))
    if load:
        _run(
            run_load(
                branches,
                (broker_host, broker_port),
                seed=seed,
                rate=rate,
                pack_readings=pack_readings,
                connections=connections,
                duration_s=duration,
                say=click.echo,
            )
        )
        return
    if directory is None:
        raise click.MissingParameter(param_hint="'--directory'", param_type="option")
    loaded = _checked(lambda: load_scenario(scenario))
    _run(
        run_simulation(
            branches,
            loaded,
            (broker_host, broker_port),
            directory,
            seed=seed,
            first_port=first_port,
            failures=failures,
            mishaps=mishaps,
            say=click.echo,
        )
    )


_OF_DEVICES: Final = ("directory", "scenario", "first_port", "failures", "mishaps")
_OF_LOAD: Final = ("rate", "pack_readings", "connections", "duration")
"""Options of ``simulate`` that only one of its two ways of working knows."""


def _refuse_useless(context: click.Context, names: Sequence[str], why: str) -> None:
    """Refuse options that would be ignored."""
    for name in names:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name.replace('_', '-')} {why} --load", context)


@commands.group()
def db() -> None:
    """Look after the databases.

    维护数据库。
    """


@db.command("upgrade")
@click.option("--settings", type=_FILE, metavar="FILE", help="Settings of the server; default: built-in values.")
def db_upgrade(settings: Path | None) -> None:
    """Bring the tables of the ops database to this version. The server does the same at its start.

    把业务库的表升级到当前版本；服务端启动时也会这样做。使用 InfluxDB 时，还会建立数据库及保留策略。

    Where readings go to InfluxDB, its database is made, too, and keeps things as long as the settings say.
    """
    from branchwatch.server import ServerSettings, upgrade_database

    loaded = _load(ServerSettings, settings)
    configure_logs(loaded.log)

    async def work() -> None:
        for done in await upgrade_database(loaded):
            click.echo(f"InfluxDB: {done}.")

    _run(work())
    click.echo("The ops database is up to date.")
    if loaded.collector.store == "influxdb":
        click.echo("InfluxDB is set up.")


def _load(model: type[SettingsT], path: Path | None) -> SettingsT:
    return _checked(lambda: load_settings(model, path))


def _checked(load: Callable[[], _T]) -> _T:
    try:
        return load()
    except ConfigurationError as error:
        _fail(str(error), EXIT_MISCONFIGURED)


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run a process to its end; what an operator can mend is said in words, not as a traceback."""
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        return
    except ConfigurationError as error:
        _fail(str(error), EXIT_MISCONFIGURED)
    except BranchwatchError as error:
        _fail(str(error), EXIT_FAILED)
    except BaseExceptionGroup as group:
        ours, rest = group.split(BranchwatchError)
        if rest is not None:
            raise
        _fail("\n".join(_messages(ours)), EXIT_FAILED)


def _messages(group: BaseExceptionGroup[BaseException] | None) -> list[str]:
    out: list[str] = []
    for error in group.exceptions if group is not None else ():
        out.extend(_messages(error) if isinstance(error, BaseExceptionGroup) else [str(error)])
    return out


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"branchwatch: {message}", err=True)
    sys.exit(status)
