"""One agent, asked in a way that gets along with what agents do wrong."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from contracts.errors import DeviceMisbehaved, DeviceUnreachable
from gateway.drivers.snmp.engine import Engine, Reply
from gateway.drivers.snmp.settings import AgentSettings
from gateway.drivers.snmp.values import Value
from runtime.logs import get_logger

_log = get_logger(__name__)

OIDS_A_QUESTION: Final = 24
"""OIDs asked for in one message; the answer fits the 1472 bytes that every agent can send."""

_ABSENT_STATUSES: Final = frozenset({2, 6, 16})
"""noSuchName, noAccess and authorizationError: there is no such value for us. Source: RFC 3416 section 3."""
_TOO_BIG: Final = 1


class Agent:
    """Asks one agent, one question at a time; kept across runs.

    Args:
        settings: where it is.
        retries: times a question without an answer is asked again.
        complain: takes what the agent did wrong.
    """

    def __init__(self, settings: AgentSettings, retries: int, complain: Callable[[DeviceMisbehaved], None]) -> None:
        self._settings = settings
        self._retries = retries
        self._complain = complain
        self._engine: Engine | None = None
        self._oids_a_question = OIDS_A_QUESTION
        self.where = f"{settings.address}:{settings.port}"
        self.round_trip_s = 0.0
        """How long the last answer took."""

    def use(self, engine: Engine) -> None:
        """Ask through the engine of a new run."""
        self._engine = engine

    async def get(self, oids: Sequence[str]) -> dict[str, Value]:
        """Values of OIDs; what the agent does not have, or fails to give, is left out.

        Raises:
            DeviceUnreachable: no answer.
            DeviceRefused: credentials are wrong.
            DeviceMisbehaved: the answers are none.
        """
        values: dict[str, Value] = {}
        left = list(dict.fromkeys(oids))
        while left:
            asked = left[: self._oids_a_question]
            reply = await self._patiently(self._live.get, asked)
            if reply.status == 0:
                values.update(self._answers_to(asked, reply))
                left = left[len(asked) :]
            elif len(asked) == 1:
                self._note_status(reply, asked[0])
                left = left[1:]
            elif reply.status != _TOO_BIG and 1 <= reply.index <= len(asked):
                culprit = asked[reply.index - 1]
                self._note_status(reply, culprit)
                left.remove(culprit)
            else:
                self._oids_a_question = max(1, len(asked) // 2)
                _log.info("agent answers fewer values at a time", agent=self.where, most=self._oids_a_question)
        return values

    async def column(self, column: str, most: int) -> dict[str, Value]:
        """Values below an OID, by their full OID, at most ``most``; raises as :meth:`get`."""
        values: dict[str, Value] = {}
        prefix = f"{column}."
        last = column
        while len(values) < most:
            repetitions = min(self._oids_a_question, most - len(values))
            reply = await self._patiently(self._live.get_bulk, last, repetitions)
            if reply.status == _TOO_BIG and repetitions > 1:
                self._oids_a_question = max(1, repetitions // 2)
                continue
            if reply.status in _ABSENT_STATUSES or not reply.bindings:
                return values
            if reply.status != 0:  # half a table would look like rows that are gone
                raise DeviceMisbehaved(
                    f"{self.where}: SNMP error status {reply.status} after {last}; look at the agent"
                )
            for oid, value in reply.bindings:
                if value is None or not oid.startswith(prefix) or len(values) >= most:
                    return values
                if _numbers(oid) <= _numbers(last):
                    raise DeviceMisbehaved(
                        f"{self.where}: {oid} given as what follows {last}: its table has no end; look at the agent"
                    )
                values[oid] = value
                last = oid
        return values

    async def table(self, columns: Sequence[str], most: int) -> dict[str, Value]:
        """Several columns as one, each at most ``most`` long; raises as :meth:`get`."""
        values: dict[str, Value] = {}
        for column in columns:
            values.update(await self.column(column, most))
        return values

    @property
    def _live(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("use() comes before the first question")
        return self._engine

    async def _patiently(self, ask: Callable[..., Awaitable[Reply]], *what: object) -> Reply:
        """Ask, and again where no answer comes: datagrams get lost."""
        tries_left = self._retries
        while True:
            began_s = time.monotonic()
            try:
                reply = await ask(self._settings, *what)
            except DeviceUnreachable:
                if not tries_left:
                    raise
                tries_left -= 1
            else:
                self.round_trip_s = time.monotonic() - began_s
                return reply

    def _answers_to(self, asked: Sequence[str], reply: Reply) -> dict[str, Value]:
        values = {}
        for oid, value in reply.bindings:
            if oid not in asked:
                raise DeviceMisbehaved(
                    f"{self.where}: value of {oid} given, which was not asked for; look at the agent"
                )
            if value is not None:
                values[oid] = value
        return values

    def _note_status(self, reply: Reply, oid: str) -> None:
        if reply.status not in _ABSENT_STATUSES:
            self._complain(
                DeviceMisbehaved(f"{self.where}: {oid}: SNMP error status {reply.status}; look at the agent")
            )


def _numbers(oid: str) -> tuple[int, ...]:
    return tuple(map(int, oid.split(".")))
