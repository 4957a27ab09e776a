"""Questions in InfluxQL to ``/query``, which InfluxDB 1, 2 and 3 answer, and their answers as they stream in."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from typing import Any, Final

import aiohttp
import msgspec

from collector.adapters.influxdb_access import headers, reason, refusal, tls
from collector.adapters.influxdb_lines import MOST_MS, NS_PER_MS, TAGS
from collector.settings import InfluxDbSettings
from contracts.errors import DependencyUnavailable

CHUNK_ROWS: Final = 10_000
PATIENCE: Final = 30
"""How many times longer than for others the wait is for what concerns all series."""

_CONNECTIONS: Final = 8


class Series(msgspec.Struct):
    """Rows of one series, or some of them.

    Attributes:
        tags: those the question groups by.
        columns: names, ``time`` first, in nanoseconds.
        values: rows.
    """

    columns: list[str]
    values: list[list[Any]] = msgspec.field(default_factory=list)
    name: str = ""
    tags: dict[str, str] = msgspec.field(default_factory=dict)

    def column(self, name: str) -> list[Any]:
        """A column; of nothing where no row of the database has it."""
        if name not in self.columns:
            return [None] * len(self.values)
        place = self.columns.index(name)
        return [row[place] for row in self.values]


class _Result(msgspec.Struct):
    series: list[Series] = msgspec.field(default_factory=list)
    error: str = ""


class _Answer(msgspec.Struct):
    results: list[_Result] = msgspec.field(default_factory=list)
    error: str = ""


_DECODER = msgspec.json.Decoder(_Answer)


class InfluxQueries:
    """A pool of connections that ask.

    Args:
        settings: where to.
    """

    def __init__(self, settings: InfluxDbSettings) -> None:
        self._settings = settings
        secure = tls(settings)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=True if secure is None else secure),
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
            headers=headers(settings),
        )

    async def version(self) -> str:
        """What the server says it is.

        Raises:
            DependencyUnavailable: it does not answer.
        """
        try:
            async with self._session.get(f"{self._settings.url}/ping") as response:
                return response.headers.get("X-Influxdb-Version", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable("ping", error) from error

    async def ask(self, question: str, policy: str = "", *, patient: bool = False) -> AsyncGenerator[Series, None]:
        """Rows as they come; those of one series one after another, maybe in several lots.

        Args:
            question: one statement of InfluxQL.
            policy: retention policy to ask; empty for statements that concern none.
            patient: the question is about very many series, whose first row takes the server long.

        Raises:
            DependencyUnavailable: no answer, or half of one, or an error.
        """
        form = {"q": question, "epoch": "ns", "chunked": "true", "chunk_size": str(CHUNK_ROWS)}
        if policy:
            form |= {"db": self._settings.database, "rp": policy}
        wait_s = self._settings.timeout_s * (PATIENCE if patient else 1)
        timeout = aiohttp.ClientTimeout(
            total=None, connect=self._settings.timeout_s, sock_connect=self._settings.timeout_s, sock_read=wait_s
        )
        what = f"query {' '.join(question.split())[:80]!r}"
        try:
            async with self._session.post(f"{self._settings.url}/query", data=form, timeout=timeout) as response:
                if response.status != 200:
                    raise refusal(self._settings, what, response.status, await response.text(errors="replace"))
                async for line in _lines(response):
                    for series in self._decode(line, what):
                        yield series
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(what, error) from error

    async def rows(self, question: str, policy: str = "") -> list[Series]:
        """:meth:`ask` for answers that are known to be small."""
        return [series async for series in self.ask(question, policy)]

    async def close(self) -> None:
        """Let go of the connections."""
        await self._session.close()

    def _decode(self, line: bytes, what: str) -> Iterable[Series]:
        try:
            answer = _DECODER.decode(line)
        except msgspec.DecodeError as error:
            raise DependencyUnavailable(
                f"InfluxDB {self._settings.url}: {what}: not an answer of InfluxQL: {error}; check collector.influxdb.url"
            ) from error
        for result in (_Result(error=answer.error), *answer.results):
            if result.error:
                raise refusal(self._settings, what, 200, result.error)
            yield from result.series

    def _unreachable(self, what: str, error: Exception) -> DependencyUnavailable:
        return DependencyUnavailable(
            f"InfluxDB {self._settings.url}: {what}: {reason(error)}; is it running and reachable?"
        )


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Lines of any length."""
    rest: list[bytes] = []
    async for block in response.content.iter_any():
        *whole, last = block.split(b"\n")
        for line in whole:
            rest.append(line)
            joined = b"".join(rest)
            rest.clear()
            if joined:
                yield joined
        rest.append(last)
    joined = b"".join(rest)
    if joined:
        yield joined


def select_in_order(fields: str, measurement: str, where: str) -> str:
    """A question for rows of all series together in order of time, with their tags as columns."""
    return f"SELECT {fields}, {', '.join(TAGS)} FROM {measurement} WHERE {where}"  # noqa: S608  (its texts are quoted below)


def select(fields: str, measurement: str, where: str, newest: int | None = None) -> str:
    """A question for rows, series by series.

    Args:
        fields: names of fields.
        measurement: of which measurement.
        where: condition; made of the parts below.
        newest: so many of each series, from the newest back; all in order of time where it is ``None``.
    """
    question = f"SELECT {fields} FROM {measurement} WHERE {where} GROUP BY {', '.join(TAGS)}"  # noqa: S608  (its texts are quoted below)
    return question if newest is None else f"{question} ORDER BY time DESC LIMIT {newest}"


def identifier(name: str) -> str:
    """A name as it stands in a statement."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def literal(text: str) -> str:
    """A text as it stands in a statement."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def within(from_ms: int, to_ms: int) -> str:
    """Condition on the time: ``from_ms <= observed_at < to_ms``."""
    low, high = (min(max(time_ms, -MOST_MS), MOST_MS) * NS_PER_MS for time_ms in (from_ms, to_ms))
    return f"time >= {low} AND time < {high}"


def has_tags(tags: Mapping[str, str]) -> str:
    """Condition that names one series."""
    return " AND ".join(f"{identifier(name)} = {literal(value)}" for name, value in tags.items())


def any_of(conditions: Iterable[str]) -> str:
    """One of several conditions."""
    return "(" + " OR ".join(f"({condition})" for condition in conditions) + ")"
