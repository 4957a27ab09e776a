"""The server process: collector, rules, maintenance and console over one ops database, wired here and nowhere else."""

from collections.abc import Callable

from sqlalchemy import text

from collector.app import Collector
from collector.settings import CollectorSettings
from collector.stores import upgrade_store
from console.app import Console, Watched
from console.settings import ConsoleSettings
from contracts.errors import ConfigurationError
from maintenance.app import Maintenance, MaintenanceSettings
from rules.app import Rules
from rules.settings import RulesSettings
from runtime.broker import EmbeddedBroker
from runtime.clock import Clock, SystemClock
from runtime.database import Database, sqlite_url
from runtime.event_log import EventLog
from runtime.logs import get_logger
from runtime.metrics import new_registry
from runtime.migration import upgrade
from runtime.settings import OpsDatabaseSettings, ProcessSettings, ServerBrokerSettings
from runtime.supervisor import Supervisor

_log = get_logger(__name__)


class ServerSettings(ProcessSettings):
    """Settings of the server process."""

    broker: ServerBrokerSettings = ServerBrokerSettings()
    ops_database: OpsDatabaseSettings = OpsDatabaseSettings()
    collector: CollectorSettings = CollectorSettings()
    rules: RulesSettings = RulesSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    console: ConsoleSettings = ConsoleSettings()


def open_database(settings: ServerSettings) -> Database:
    """The ops database of a server: PostgreSQL by its URL, else a file in the data directory.

    Raises:
        ConfigurationError: the URL is not one of a database we can use, or the data directory cannot be made.
    """
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"data_dir = {str(settings.data_dir)!r}: cannot be made: {error.strerror}; name a directory this user may write"
        ) from error
    return Database(settings.ops_database.url or sqlite_url(settings.data_dir / "ops.db"))


async def upgrade_database(settings: ServerSettings) -> list[str]:
    """Bring the tables of a server's ops database to this version, and make what its time-series store needs.

    Returns:
        What was done for the store, in words.
    """
    database = open_database(settings)
    try:
        await upgrade(database)
    finally:
        await database.close()
    return await upgrade_store(settings.collector, insist=True)


async def run_server(settings: ServerSettings, ready: Callable[[str], None], clock: Clock | None = None) -> None:
    """Run a server until it is told to stop by a signal.

    Args:
        settings: its settings.
        ready: told the console's address once everything runs.
        clock: source of the time; the system's unless given.

    Raises:
        BranchwatchError: it cannot start.
        BaseExceptionGroup: a service failed; the others were stopped in order.
    """
    clock = clock or SystemClock()
    registry = new_registry()
    database = open_database(settings)
    try:
        await upgrade(database)
        for done in await upgrade_store(settings.collector, insist=False):
            _log.info("time-series store prepared", done=done)
        event_log = EventLog(database, clock)
        rules = Rules(settings.rules, database, event_log, clock, registry)
        collector = Collector(
            settings.collector, settings.broker, database, event_log, clock, registry, settings.data_dir, rules
        )
        maintenance = Maintenance(settings.maintenance, database, event_log, clock)
        watched = Watched(
            fleet=collector.fleet,
            readings=collector.readings,
            missing=collector.missing,
            quarantine=collector.quarantine,
            intake_status=collector,
            faults=rules.faults,
            work_orders=maintenance.work_orders,
        )

        async def database_answers() -> None:
            async with database.read() as connection:
                await connection.execute(text("SELECT 1"))

        readiness = {"ops_database": database_answers, "collector": collector.check_ready}
        console = Console(settings.console, watched, event_log, clock, registry, readiness)

        supervisor = Supervisor()
        supervisor.stop_on_signals()
        if settings.broker.embedded:
            supervisor.add(EmbeddedBroker(settings.data_dir / "broker", settings.broker.host, settings.broker.port))
        # Consumers before producers: whoever reads the event log runs before the rules write to it.
        for service in (*maintenance.services(), console, rules, *collector.services()):
            supervisor.add(service)

        await supervisor.run(lambda: ready(console.url))
    finally:
        await database.close()
