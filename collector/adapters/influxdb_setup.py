"""The database of the InfluxDB store, its retention policies or buckets, and how long they keep what is in them.

InfluxDB 1 is asked in InfluxQL, InfluxDB 2 through its API of buckets. InfluxDB 3 makes what is missing at the first write.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, cast

import aiohttp
import influxdb_client
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException

from collector.adapters.influxdb_access import POLICIES, bucket, is_missing, reason, refusal, tls, token
from collector.adapters.influxdb_queries import InfluxQueries, identifier
from collector.adapters.influxdb_writes import said
from collector.settings import InfluxDbSettings, RetentionSettings
from contracts.errors import DependencyUnavailable
from runtime.logs import get_logger

_log = get_logger(__name__)

_api: Any = influxdb_client  # its models and services are not typed

_DAY_S: Final = 86_400
_UNITS_S: Final = {"w": 604_800, "d": _DAY_S, "h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True)
class Policy:
    """How long what is kept.

    Attributes:
        name: of the retention policy.
        days: how long.
    """

    name: str
    days: int

    @property
    def shard_days(self) -> int:
        """Days of readings that the server deletes at once; the longer it keeps them, the more."""
        return 1 if self.days < 180 else 7 if self.days < 1000 else 28


def policies(retention: RetentionSettings) -> list[Policy]:
    """The retention policies that the settings ask for."""
    days = (retention.readings_days, retention.minutes_days, retention.hours_days, retention.events_days)
    return [Policy(name, kept) for name, kept in zip(POLICIES, days, strict=True)]


async def set_up(settings: InfluxDbSettings, retention: RetentionSettings) -> list[str]:
    """Make what is missing and change what is kept for another time than the settings say. Idempotent.

    Returns:
        What was done, in words.

    Raises:
        DependencyUnavailable: the server does not answer, or does not let us.
    """
    queries = InfluxQueries(settings)
    try:
        return await ensure(queries, settings, retention, change=True)
    finally:
        await queries.close()


async def ensure(
    queries: InfluxQueries, settings: InfluxDbSettings, retention: RetentionSettings, *, change: bool
) -> list[str]:
    """Make what is missing, and where ``change`` is set let everything be kept as long as the settings say."""
    version = await queries.version()
    major = re.match(r"v?(\d+)", version)
    if major is not None and int(major[1]) >= 3:
        _log.warning("InfluxDB 3 makes its databases at the first write; set their retention there", version=version)
        return []
    if major is not None and int(major[1]) == 2:
        return await _Buckets(settings).ensure(policies(retention), change=change)
    return await _ensure_policies(queries, settings, policies(retention), change=change)


async def _ensure_policies(
    queries: InfluxQueries, settings: InfluxDbSettings, wanted: list[Policy], *, change: bool
) -> list[str]:
    database, done = identifier(settings.database), []
    kept_s = await _kept_s(queries, database)
    if kept_s is None:
        await queries.rows(f"CREATE DATABASE {database}")
        done.append(f"database {settings.database} made")
        kept_s = {}
    for policy in wanted:
        name = identifier(policy.name)
        terms = f"DURATION {policy.days}d REPLICATION 1 SHARD DURATION {policy.shard_days}d"
        if policy.name not in kept_s:
            default = " DEFAULT" if policy.name == POLICIES[0] else ""
            await queries.rows(f"CREATE RETENTION POLICY {name} ON {database} {terms}{default}")
            done.append(f"retention policy {policy.name} made, {policy.days} days")
        elif change and kept_s[policy.name] != policy.days * _DAY_S:
            await queries.rows(f"ALTER RETENTION POLICY {name} ON {database} {terms}")
            done.append(f"retention policy {policy.name} changed to {policy.days} days")
    return done


async def _kept_s(queries: InfluxQueries, database: str) -> dict[str, int] | None:
    """Seconds that each retention policy keeps, 0 for ever; ``None`` where there is no such database."""
    try:
        answer = await queries.rows(f"SHOW RETENTION POLICIES ON {database}")
    except DependencyUnavailable as error:
        if is_missing(200, str(error)):
            return None
        raise
    return {
        name: _seconds(duration)
        for series in answer
        for name, duration in zip(series.column("name"), series.column("duration"), strict=True)
    }


def _seconds(duration: str) -> int:
    """``876000h0m0s`` in seconds."""
    return sum(int(number) * _UNITS_S[unit] for number, unit in re.findall(r"(\d+)([wdhms])", duration))


class _Buckets:
    """Buckets of InfluxDB 2, each mapped to a database and retention policy for InfluxQL."""

    def __init__(self, settings: InfluxDbSettings) -> None:
        self._settings = settings

    async def ensure(self, wanted: list[Policy], *, change: bool) -> list[str]:
        settings, done = self._settings, []
        client: Any = InfluxDBClientAsync(
            url=settings.url, token=token(settings) or "", org=settings.org, timeout=round(settings.timeout_s * 1000),
            ssl_context=tls(settings),
        )  # fmt: skip
        try:
            organization = await self._organization(client.api_client)
            for policy in wanted:
                done += await self._ensure(client.api_client, organization, policy, change=change)
        except ApiException as error:
            raise refusal(settings, "set-up of buckets", int(error.status or 0), said(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise DependencyUnavailable(
                f"InfluxDB {settings.url}: set-up of buckets: {reason(error)}; is it running and reachable?"
            ) from error
        finally:
            await client.close()
        return done

    async def _organization(self, api: Any) -> str:
        found = await _api.OrganizationsService(api).get_orgs_async(org=self._settings.org)
        if not found.orgs:
            raise DependencyUnavailable(
                f"InfluxDB {self._settings.url}: no organization {self._settings.org!r}; check collector.influxdb.org"
            )
        return cast("str", found.orgs[0].id)

    async def _ensure(self, api: Any, organization: str, policy: Policy, *, change: bool) -> list[str]:
        buckets, mappings = _api.BucketsService(api), _api.DBRPsService(api)
        name, seconds, done = bucket(self._settings, policy.name), policy.days * _DAY_S, []
        found = (await buckets.get_buckets_async(name=name, org_id=organization)).buckets
        if not found:
            rule = _api.BucketRetentionRules(
                type="expire", every_seconds=seconds, shard_group_duration_seconds=policy.shard_days * _DAY_S
            )
            made = await buckets.post_buckets_async(
                _api.PostBucketRequest(name=name, org_id=organization, retention_rules=[rule])
            )
            found = [made]
            done.append(f"bucket {name} made, {policy.days} days")
        elif change and [kept.every_seconds for kept in found[0].retention_rules] != [seconds]:
            patch = _api.PatchBucketRequest(
                retention_rules=[_api.PatchRetentionRule(type="expire", every_seconds=seconds)]
            )
            await buckets.patch_buckets_id_async(found[0].id, patch)
            done.append(f"bucket {name} changed to {policy.days} days")
        where = {"database": self._settings.database, "retention_policy": policy.name}
        mapped = await mappings.get_dbr_ps_async(
            org_id=organization, db=where["database"], rp=where["retention_policy"]
        )
        if not mapped.content:
            await mappings.post_dbrp_async(
                _api.DBRPCreate(org_id=organization, bucket_id=found[0].id, default=policy.name == POLICIES[0], **where)
            )
            done.append(f"bucket {name} mapped for InfluxQL")
        return done
