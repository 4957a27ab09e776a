"""Tries everything a gateway's settings name, and says in plain words what is wrong: ``branchwatch gateway check``.

Each device is read by its own driver as the gateway would read it; nothing is stored and nothing is sent on.
"""

import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.devices import KINDS
from contracts.errors import (
    BranchwatchError,
    ConfigurationError,
    DependencyUnavailable,
    DeviceError,
    DeviceMisbehaved,
    DeviceRefused,
    DeviceUnreachable,
)
from contracts.signals import Presence, path_pattern
from gateway.driver import Identity, Observation
from gateway.drivers.registry import DRIVERS, DriverType, driver_of
from gateway.links import LINK_STATE
from gateway.outbox.lock import OutboxLock
from gateway.settings import DeviceSettings, GatewaySettings
from runtime.clock import Clock
from runtime.mqtt import MqttClient
from runtime.settings import Section

SETTLE_S: Final = 2.0
"""A device that answers has said most of what it has to say once nothing new came for so long."""

BROKER_WAIT_S: Final = 5.0

_SHOWN: Final = 3

_SILENT: Final = {
    "snmp": (
        "check the community first: an agent says nothing to a wrong one; then power, address, UDP port and firewall",
        "请先检查团体名：团体名错误时代理不作任何应答；再检查电源、地址、UDP 端口和防火墙",
    )
}
"""What to do about no answer, in protocols in which it has a likelier cause than a cable."""

_ADVICE: Final[tuple[tuple[type[BranchwatchError], str, str], ...]] = (
    (DeviceUnreachable, "check power, cable, address and port", "请检查电源、网线、地址和端口"),
    (
        DeviceRefused,
        "check user name, password or key, and what the device allows",
        "请检查用户名、密码或密钥及设备权限",
    ),
    (DeviceMisbehaved, "check that it is this protocol on this port, and the firmware", "请检查端口上的协议与固件版本"),
    (ConfigurationError, "mend the settings file", "请修改设置文件"),
    (DependencyUnavailable, "see that it runs and can be reached from here", "请确认其已运行且可从本机访问"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of trying one thing.

    Attributes:
        subject: what was tried: ``atm-01 xfs``, ``broker``, ``outbox``.
        ok: whether it works.
        detail: what was seen, or what is wrong.
        advice: what to do, in English and Chinese; empty where nothing is to be done.
    """

    subject: str
    ok: bool
    detail: str
    advice: tuple[str, str] = ("", "")

    def line(self) -> str:
        """For a person at a terminal, in both languages."""
        head = f"{'ok 正常' if self.ok else 'FAILED 失败':<12} {self.subject:<24} {self.detail}"
        return head if not self.advice[0] else f"{head}\n{'':<12} {'':<24} {self.advice[0]}  {self.advice[1]}"


@dataclass
class _Witness:
    """A :class:`~gateway.driver.Sink` that only remembers.

    Where a device waits for an answer, what it tells is looked at and then refused as if the outbox could not be written: it
    is not acknowledged, so the device keeps it for the gateway.
    """

    answers: bool = False
    values: dict[str, float | str] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    identity: Identity = field(default_factory=Identity)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:  # noqa: ARG002
        for item in observations:
            if item.path not in self.values:
                self.news.set()
            self.values[item.path] = item.value
        if self.answers and self.values.get(LINK_STATE) == "up":
            raise DependencyUnavailable("a check stores nothing")

    async def recall(self) -> Mapping[str, str]:
        return {}

    async def identify(self, identity: Identity) -> None:
        self.identity = identity

    def refuse(self, raw: bytes | str, error: DeviceError) -> None:  # noqa: ARG002
        self.refusals.append(str(error))
        del self.refusals[:-_SHOWN]

    async def settled(self) -> None:
        """Return once the link is up and nothing new came for a while."""
        while True:
            self.news.clear()
            try:
                async with asyncio.timeout(SETTLE_S):
                    await self.news.wait()
            except TimeoutError:
                if self.values.get(LINK_STATE) == "up":
                    return


async def check(
    settings: GatewaySettings, clock: Clock, wait_s: float, drivers: Mapping[str, DriverType] = DRIVERS
) -> list[Finding]:
    """Try the outbox's directory, the broker and every connection of every device, side by side.

    Args:
        settings: what to try.
        clock: time.
        wait_s: longest wait for a device, in seconds; one that calls by itself has to call within it.
        drivers: protocols by short name.

    Returns:
        Outbox and broker first, then the devices in the order of the settings.
    """
    tries = [_outbox(settings), _broker(settings)]
    tries += [
        _device(device, connection, drivers, clock, wait_s)
        for device in settings.devices
        for connection in device.all_connections
    ]
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(attempt) for attempt in tries]
    return [task.result() for task in running]


async def _outbox(settings: GatewaySettings) -> Finding:
    folder = settings.outbox_path.parent
    try:
        await asyncio.to_thread(_write_into, settings)
    except ConfigurationError as error:  # a gateway that runs also listens where panels and sensors call
        return Finding("outbox", False, str(error), ("stop the gateway for the check", "检查前请先停止网关"))
    except OSError as error:
        advice = ("make it writable for this user, or set data_dir", "请赋予写权限或修改 data_dir")
        return Finding("outbox", False, f"{folder} cannot be written: {error.strerror}", advice)
    usage = os.statvfs(folder)
    free = usage.f_bavail * usage.f_frsize
    if free < settings.outbox.max_bytes:
        advice = ("free the disk, or lower outbox.max_bytes", "请清理磁盘或调小 outbox.max_bytes")
        detail = (
            f"{free / 1e6:.0f} MB free in {folder}, outbox.max_bytes allows {settings.outbox.max_bytes / 1e6:.0f} MB"
        )
        return Finding("outbox", False, detail, advice)
    return Finding("outbox", True, f"{folder} can be written, {free / 1e9:.1f} GB free")


def _write_into(settings: GatewaySettings) -> None:
    folder = settings.outbox_path.parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder):
        pass
    OutboxLock(settings.outbox_path).release()


async def _broker(settings: GatewaySettings) -> Finding:
    broker = settings.broker
    where = f"{broker.host}:{broker.port}"
    try:
        client = MqttClient(broker, f"branchwatch-check-{settings.branch_id}")
        client.start()
        try:
            await client.wait_connected(BROKER_WAIT_S)
        finally:
            await client.stop()
    except BranchwatchError as error:
        return _failed("broker", error)
    return Finding("broker", True, f"{where} accepts us")


async def _device(
    device: DeviceSettings, connection: Section, drivers: Mapping[str, DriverType], clock: Clock, wait_s: float
) -> Finding:
    name = driver_of(connection)
    subject, witness = f"{device.id} {name}", _Witness(drivers[name].answers)
    try:
        driver = drivers[name].create(connection, KINDS[device.kind], clock)
    except ConfigurationError as error:
        return _failed(subject, error)
    reading = asyncio.create_task(driver.run(witness), name=f"check of {subject}")
    settled = asyncio.create_task(witness.settled(), name=f"news of {subject}")
    try:
        await asyncio.wait({reading, settled}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        ended = reading.exception() if reading.done() else None
    finally:
        for task in (reading, settled):
            task.cancel()
        await asyncio.gather(reading, settled, return_exceptions=True)
    if isinstance(ended, DependencyUnavailable) and witness.values.get(LINK_STATE) == "up":
        return Finding(subject, True, _seen(device, witness))  # what it told was refused, which is all that was asked
    if isinstance(ended, BranchwatchError):
        failed = _failed(subject, ended)
        is_silent = isinstance(ended, DeviceUnreachable) and name in _SILENT
        return replace(failed, advice=_SILENT[name]) if is_silent else failed
    if ended is not None:
        raise ended
    return (
        Finding(subject, True, _seen(device, witness))
        if not settled.cancelled()
        else _late(subject, name, witness, wait_s)
    )


def _late(subject: str, driver: str, witness: _Witness, wait_s: float) -> Finding:
    if witness.values.get("link/auth") == "notAuthorized":
        return _failed(subject, DeviceRefused("the device does not accept the user name and password"))
    if witness.values.get(LINK_STATE, "unknown") == "unknown":
        why = f": {witness.refusals[-1]}" if witness.refusals else ""
        advice = _SILENT.get(driver) or (
            "check power, cable and address; a device that calls by itself needs this gateway's address and port",
            "请检查电源、网线和地址；主动上报的设备需填写本网关的地址和端口",
        )
        return Finding(subject, False, f"nothing usable was heard within {wait_s:g} s{why}", advice)
    link = witness.values.get(LINK_STATE, "unknown")
    if link == "up":
        return Finding(subject, True, f"up, {len(witness.values)} signals, still telling more after {wait_s:g} s")
    why = f"; {witness.refusals[-1]}" if witness.refusals else ""
    missing = witness.values.get("link/services_missing")
    services = f", {missing:g} services do not answer" if isinstance(missing, (int, float)) and missing else ""
    advice = _SILENT.get(driver) or ("see which part of the device does not answer", "请确认设备的哪一部分没有应答")
    return Finding(subject, False, f"link {link}{services} after {wait_s:g} s{why}", advice)


def _failed(subject: str, error: BranchwatchError) -> Finding:
    for kind, english, chinese in _ADVICE:
        if isinstance(error, kind):
            return Finding(subject, False, str(error), (english, chinese))
    return Finding(subject, False, str(error))


def _seen(device: DeviceSettings, witness: _Witness) -> str:
    said = witness.identity
    who = " ".join(part for part in (said.maker, said.model, said.serial and f"serial {said.serial}") if part)
    parts = [f"up, {len(witness.values)} signals"]
    if who:
        parts.append(who)
    if len(device.all_connections) == 1:
        missing = _missing(device, witness)
        if missing:
            shown = ", ".join(missing[:_SHOWN]) + (" …" if len(missing) > _SHOWN else "")
            parts.append(f"not said yet: {shown}")
    if witness.refusals:
        parts.append(f"refused: {witness.refusals[-1]}")
    return "; ".join(parts)


def _missing(device: DeviceSettings, witness: _Witness) -> list[str]:
    """Signals every device of the kind has and this one did not tell; counters and events come when there is something."""
    return [
        row.path
        for row in KINDS[device.kind].signals
        if row.presence is Presence.ALWAYS
        and row.states
        and not any(path_pattern(row.path).fullmatch(path) for path in witness.values)
    ]
