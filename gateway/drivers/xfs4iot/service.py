"""One XFS service of the machine: what is asked when, and what its answers and events become."""

import asyncio
from collections.abc import Mapping
from typing import Final

from contracts.errors import DeviceError, DeviceMisbehaved, DeviceRefused
from gateway.driver import Observation
from gateway.drivers.xfs4iot.claims import Strength
from gateway.drivers.xfs4iot.client import Connection, FormNotUnderstood, NoReply
from gateway.drivers.xfs4iot.counters import CardStay, MediaPresentation, Presentation
from gateway.drivers.xfs4iot.envelope import OLD_MAJOR, Command, Message
from gateway.drivers.xfs4iot.error_texts import ErrorTexts
from gateway.drivers.xfs4iot.machine import Machine
from gateway.drivers.xfs4iot.mapping_events import Happening, Meaning, read_event
from gateway.drivers.xfs4iot.mapping_status import MODULES, StatusView
from gateway.drivers.xfs4iot.mapping_storage import StorageView
from gateway.drivers.xfs4iot.profile import Profile, read_capabilities
from gateway.drivers.xfs4iot.properties import Complaints
from runtime.logs import get_logger

_log = get_logger(__name__)

UNANSWERED_MOST: Final = 2
"""Status polls in a row without an answer, after which a service counts as gone: one alone may be a service that is busy."""


class Service:
    """A service; kept across reconnects.

    Args:
        name: last part of its address, with its port where two services of the machine have the same.
        machine: what it shares with the other services.
    """

    def __init__(self, name: str, machine: Machine) -> None:
        self.name = name
        self.profile = Profile()
        self._machine = machine
        self._settings = machine.settings
        self._clock = machine.clock
        self._counters = machine.counters
        self._link = machine.link
        self._report = machine.report
        self._connection: Connection | None = None
        self._agrees_on_versions = True
        self._vendor_mode: str | None = None
        self._status = StatusView(machine.kind)
        self._storage = StorageView(name, machine.kind, machine.counters, machine.numbers)
        self._candidates: tuple[str, ...] = ()
        self._exchange: str | None = None
        self._presentation = Presentation()
        self._card = CardStay()
        self._paper = MediaPresentation()
        self._texts = ErrorTexts()
        self._status_due = 0.0
        self._storage_due = 0.0

    @property
    def components(self) -> tuple[str, ...]:
        """Components it speaks for now; another service may take one of them over."""
        return tuple(
            component
            for component in self._candidates
            if component not in MODULES or self._machine.claims.owns(component, self.name)
        )

    async def introduce(self, connection: Connection) -> None:
        """Learn what the service is, and agree on versions.

        Raises:
            DeviceError: the connection ended, or the service does not say what it is.
        """
        capabilities = await self._ask_capabilities(connection)
        complaints: Complaints = []
        self.profile = read_capabilities(capabilities.payload, complaints)
        self._refuse(capabilities, complaints)
        self._candidates = self._claim()
        for component in self.components:
            self._counters.open(component)
        versions = self.profile.set_versions()
        if versions and connection.major != OLD_MAJOR and self._agrees_on_versions:
            try:
                await connection.request(Command.SET_VERSIONS, versions)
                connection.versions = self.profile.versions
            except (DeviceRefused, NoReply) as error:  # it then keeps its own choice, and every major is read
                self._agrees_on_versions = False
                _log.info("service does not agree on versions", service=self.name, error=str(error))

    async def watch(self, connection: Connection) -> None:
        """Read status and storage when due, take events in between; until the connection ends.

        Raises:
            DeviceError: the connection ended or the service stopped to answer.
        """
        loop = asyncio.get_running_loop()
        self._status_due = self._storage_due = loop.time()
        self._connection = connection
        self._storage.watch_begins()
        unanswered = 0
        while True:
            now = loop.time()
            if self._status_due <= now:
                self._status_due = now + self._settings.poll_s
                try:
                    await self._read_status(connection)
                    unanswered = 0
                except (NoReply, DeviceRefused) as error:
                    unanswered += 1
                    if unanswered >= UNANSWERED_MOST:
                        raise
                    _log.warning("status not read", service=self.name, error=str(error))
            elif self.profile.has_storage and self._storage_due <= now:
                self._storage_due = now + self._settings.storage_poll_s
                try:
                    await self._read_storage(connection)
                except (NoReply, DeviceRefused) as error:
                    _log.warning("storage not read", service=self.name, error=str(error))
            else:
                due = min(self._status_due, self._storage_due) if self.profile.has_storage else self._status_due
                await connection.listen(due - now)

    def look_again(self) -> None:
        """Read status and storage soon, because of something that happened elsewhere at the machine."""
        self._read_soon(status=True, storage=True)
        if self._connection is not None:
            self._connection.wake()

    async def handle(self, message: Message) -> None:
        """Take an event, at once."""
        at_ms = self._clock.now_ms()
        complaints: Complaints = []
        meaning = read_event(message, complaints)
        seen = self._take_unseen_card(meaning, at_ms) if self._is_old(message) else []
        words = self._status.change(meaning.status, self.components, complaints) if meaning.status else {}
        seen += self._take_status(words, at_ms, told=True)
        if meaning.storage:
            seen += self._storage.change(meaning.storage, self.components, at_ms, complaints)
        seen += self._take_happening(meaning, at_ms)
        seen += self._take_error(meaning, at_ms)
        self._refuse(message, complaints)
        self._read_soon(status=meaning.read_status, storage=meaning.read_storage)
        await self._report.observe(seen)

    @staticmethod
    async def _ask_capabilities(connection: Connection) -> Message:
        """Ask in the publisher's form first; one machine may run services of several releases."""
        for major in dict.fromkeys((connection.major, 2, 3, OLD_MAJOR)):
            connection.major = major
            try:
                return await connection.request(Command.CAPABILITIES)
            except FormNotUnderstood as error:
                refusal = error
        raise refusal

    def _claim(self) -> tuple[str, ...]:
        """What the service could be, having claimed the modules among it."""
        claims, configured = self._machine.claims, self._machine.claims.configured(self.name)
        found = [component for component in self.profile.components if component in self._machine.components]
        if configured is not None:
            found = [configured, *(component for component in found if component not in MODULES)]
        for component in found:
            if component in MODULES:
                guessed = component in self.profile.guessed
                strength = Strength.CONFIGURED if configured else Strength.GUESSED if guessed else Strength.NAMED
                if not claims.claim(component, self.name, strength):
                    _log.warning(
                        "component has another service already; name one of them in the settings, components",
                        component=component,
                        service=self.name,
                        has=claims.owner(component),
                    )
        if not found:
            _log.info("service has nothing to watch", service=self.name, kind=self._machine.kind.name)
        return tuple(found)

    async def _read_status(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        completion = await connection.request(Command.STATUS)
        self._link.round_trip(self.name, loop.time() - began)
        at_ms = self._clock.now_ms()
        complaints: Complaints = []
        words = self._status.whole(completion.payload, self.components, complaints)
        seen = self._take_status(words, at_ms, told=False)
        self._refuse(completion, complaints)
        await self._report.observe([*seen, *self._counters.observations(self.components, at_ms)])

    async def _read_storage(self, connection: Connection) -> None:
        self._storage.asked()
        completion = await connection.request(Command.GET_STORAGE)
        complaints: Complaints = []
        seen = self._storage.whole(completion.payload, self.components, self._clock.now_ms(), complaints)
        self._refuse(completion, complaints)
        if self._storage.is_doubtful:
            again = asyncio.get_running_loop().time() + self._settings.poll_s
            self._storage_due = min(self._storage_due, again)
        await self._report.observe(seen)

    def _take_status(self, words: Mapping[str, str], at_ms: int, *, told: bool) -> list[Observation]:
        counted: list[str] = []
        for path, value in words.items():
            signal = path.partition("/")[2]
            if signal == "exchange":
                if self._exchange == "active" and value == "inactive":
                    self._storage.exchange_ended()
                if value != self._exchange:
                    self._read_soon(storage=True)
                self._exchange = value
            elif path == "vdm/service":
                if self._vendor_mode not in {None, value}:
                    self._machine.somebody_came()
                self._vendor_mode = value
            elif path == "cdm/position_status":
                counted += ["cdm/presents"] if self._presentation.position(value) else []
            elif path == "idc/media":
                change = self._card.media(value, at_ms, told=told)
                counted += ["idc/insertions"] if change.inserted else []
                counted += ["idc/short_insertions"] if change.short else []
            elif path == "prr/media":
                counted += ["prr/presentations"] if self._paper.media(value) else []
        return [*(Observation(path, value, at_ms) for path, value in words.items()), *self._count(counted, at_ms)]

    def _take_happening(self, meaning: Meaning, at_ms: int) -> list[Observation]:
        counted: list[str] = []
        at_output = "cdm" in self.components and not meaning.position.startswith("in")
        if meaning.happening is Happening.NOTES_PRESENTED and at_output and self._presentation.presented():
            counted.append("cdm/presents")
        elif meaning.happening is Happening.NOTES_TAKEN and at_output:
            self._presentation.taken()
        elif meaning.happening is Happening.NOTES_INSERTED and "cim" in self.components:
            counted.append("cim/inserts")
        elif meaning.happening is Happening.CARD_MOVED and self._is_kept(meaning.card_to):
            self._card.retained()
            counted += [] if self._storage.counts_retained_cards else ["idc/retained"]
        return self._count(counted, at_ms)

    def _is_old(self, message: Message) -> bool:
        """Whether an event is of message major 1; services of that major may leave the version out."""
        speaks_old = self._connection is not None and self._connection.major == OLD_MAJOR
        return message.is_old or (message.major is None and speaks_old)

    def _take_unseen_card(self, meaning: Meaning, at_ms: int) -> list[Observation]:
        """Message major 1 does not tell that a card came, only that it went."""
        unseen = meaning.happening is Happening.CARD_REMOVED and self._card.left_unseen()
        return self._count(["idc/insertions"] if unseen and "idc" in self.components else [], at_ms)

    def _is_kept(self, card_to: str) -> bool:
        return "idc" in self.components and ("retain" in card_to.lower() or self._storage.is_card_bin(card_to))

    def _take_error(self, meaning: Meaning, at_ms: int) -> list[Observation]:
        component = next(iter(self.components), None)
        seen: list[Observation] = []
        if meaning.error and component in MODULES:
            seen += self._count([f"{component}/errors"] if meaning.counts_as_error else [], at_ms)
            seen += self._tell(f"{component}/error", meaning.error, at_ms)
        elif meaning.error:
            _log.warning("error of a service that is no module", service=self.name, error=meaning.error)
        if meaning.illegal_key_access:
            seen += self._tell("pin/illegal_key_access", meaning.illegal_key_access, at_ms)
        return seen

    def _tell(self, path: str, text: str, at_ms: int) -> list[Observation]:
        told = self._texts.take(text, asyncio.get_running_loop().time())
        return [] if told is None else [Observation(path, told, at_ms)]

    def _count(self, paths: list[str], at_ms: int) -> list[Observation]:
        for path in paths:
            self._counters.add(path)
        return [Observation(path, self._counters.total(path), at_ms) for path in paths]

    def _read_soon(self, *, status: bool = False, storage: bool = False) -> None:
        soon = asyncio.get_running_loop().time() + self._settings.debounce_s
        if status:
            self._status_due = min(self._status_due, soon)
        if storage:
            self._storage_due = min(self._storage_due, soon)

    def _refuse(self, message: Message, complaints: Complaints) -> None:
        if complaints:
            shown = "; ".join(complaints[:5])
            self.refuse(message.raw, DeviceMisbehaved(f"{self.name}: {message.name}: {shown}"))

    def refuse(self, raw: str | bytes, error: DeviceError) -> None:
        """Keep a message that broke the protocol, and count it."""
        self._link.refused()
        self._report.refuse(raw, error)
