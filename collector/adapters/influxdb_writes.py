"""Writing line protocol through influxdb-client: whole requests, compressed, tried again within bounds, none half taken."""

import asyncio
import gzip
import json
from collections.abc import Sequence
from typing import Any, Final

import aiohttp
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from collector.adapters.influxdb_access import bucket, is_too_old, reason, refusal, tls, token
from collector.adapters.influxdb_lines import packed
from collector.settings import InfluxDbSettings
from contracts.errors import DependencyUnavailable
from runtime.logs import get_logger
from runtime.supervisor import Backoff

_log = get_logger(__name__)

_LEVEL: Final = 1
"""Of gzip. The client's own way, level 9 on the event loop, would hold everything else up for 0.1 s a request."""
_BACKOFF: Final = Backoff(first_s=0.2, most_s=2.0)
_LONGEST_WISH_S: Final = 5.0
_PASSING: Final = frozenset({429, 500, 502, 503, 504})


class InfluxWrites:
    """The one writer.

    Args:
        settings: where to.
    """

    def __init__(self, settings: InfluxDbSettings) -> None:
        self._settings = settings
        self._client: Any = InfluxDBClientAsync(
            url=settings.url,
            token=token(settings) or "",
            org=settings.org or "-",  # the client insists on one; InfluxDB 1 and 3 do not read it
            timeout=round(settings.timeout_s * 1000),
            ssl_context=tls(settings),
        )
        api: Any = self._client.api_client
        api.set_default_header("Content-Encoding", "gzip")
        self._writing: Any = self._client.write_api()

    async def write(self, policy: str, lines: Sequence[str]) -> None:
        """Write lines; returned means that the server has all of them, but what is past the retention there.

        Raises:
            DependencyUnavailable: it does not answer, or does not take them; some of them may have been written.
        """
        for body in packed(lines, self._settings.request_bytes):
            compressed = await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)
            await self._insist(policy, compressed)

    async def _insist(self, policy: str, body: bytes) -> None:
        for failures in range(1, self._settings.tries + 1):
            try:
                return await self._write_once(policy, body)
            except ApiException as error:
                status, text = int(error.status or 0), said(error)
                if is_too_old(status, text):
                    _log.warning("readings past their retention were not stored", bucket=policy, said=text)
                    return None
                failed = refusal(self._settings, f"write to {policy}", status, text)
                if status not in _PASSING or failures == self._settings.tries:
                    raise failed from error
                wait_s = max(_BACKOFF.delay_s(failures), _wish_s(error))
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if failures == self._settings.tries:
                    raise DependencyUnavailable(
                        f"InfluxDB {self._settings.url}: write to {policy}: {reason(error)}, after"
                        f" {failures} tries; is it running and reachable?"
                    ) from error
                wait_s = _BACKOFF.delay_s(failures)
            await asyncio.sleep(wait_s)
        return None

    async def _write_once(self, policy: str, body: bytes) -> None:
        taken = await self._writing.write(
            bucket=bucket(self._settings, policy), record=body, write_precision=WritePrecision.NS
        )
        if not taken:
            raise DependencyUnavailable(
                f"InfluxDB {self._settings.url}: write to {policy}: neither 201 nor 204 came back; expected one of them"
            )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.close()


def said(error: ApiException) -> str:
    """What the server gave as its reason: ``error`` of InfluxDB 1 and 3, ``message`` of 2, or its text."""
    body: Any = error.body
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or error.reason or "")
    try:
        found = json.loads(text)
    except ValueError:
        return text
    if not isinstance(found, dict):
        return text
    return str(found.get("error") or found.get("message") or text)


def _wish_s(error: ApiException) -> float:
    """How long the server asks to be left alone, within bounds."""
    headers: Any = error.headers or {}
    wish = str(headers.get("Retry-After", ""))
    return min(float(wish), _LONGEST_WISH_S) if wish.isdigit() else 0.0
