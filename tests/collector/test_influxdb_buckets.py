"""What the set-up asks of InfluxDB 2, which Debian does not package: held against answers as its API describes them.

Source: https://docs.influxdata.com/influxdb/v2/api/, buckets, DBRPs and organizations.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from collector.adapters.influxdb_setup import set_up
from collector.settings import InfluxDbSettings, RetentionSettings
from contracts.errors import DependencyUnavailable

ORGANIZATION = "0123456789abcdef"


class InfluxTwo:
    """The part of the API that is used, in memory."""

    def __init__(self) -> None:
        self.buckets: list[dict[str, Any]] = []
        self.mappings: list[dict[str, Any]] = []
        self.url = ""

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/ping", self._ping)
        application.router.add_get("/api/v2/orgs", self._organizations)
        application.router.add_get("/api/v2/buckets", self._find_buckets)
        application.router.add_post("/api/v2/buckets", self._make_bucket)
        application.router.add_patch("/api/v2/buckets/{id}", self._change_bucket)
        application.router.add_get("/api/v2/dbrps", self._find_mappings)
        application.router.add_post("/api/v2/dbrps", self._make_mapping)
        return application

    @staticmethod
    async def _ping(request: web.Request) -> web.Response:
        return web.Response(status=204, headers={"X-Influxdb-Version": "v2.7.11"})

    @staticmethod
    async def _organizations(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Token t0ken":
            return web.json_response({"code": "unauthorized", "message": "unauthorized access"}, status=401)
        orgs = [{"id": ORGANIZATION, "name": "bank"}] if request.query["org"] == "bank" else []
        return web.json_response({"orgs": orgs})

    async def _find_buckets(self, request: web.Request) -> web.Response:
        found = [bucket for bucket in self.buckets if bucket["name"] == request.query["name"]]
        return web.json_response({"buckets": found})

    async def _make_bucket(self, request: web.Request) -> web.Response:
        asked = await request.json()
        bucket = {"id": f"{len(self.buckets):016x}", "type": "user", **asked}
        self.buckets.append(bucket)
        return web.json_response(bucket, status=201)

    async def _change_bucket(self, request: web.Request) -> web.Response:
        bucket = next(bucket for bucket in self.buckets if bucket["id"] == request.match_info["id"])
        bucket.update(await request.json())
        return web.json_response(bucket)

    async def _find_mappings(self, request: web.Request) -> web.Response:
        key = (request.query["db"], request.query["rp"])
        found = [mapping for mapping in self.mappings if (mapping["database"], mapping["retention_policy"]) == key]
        return web.json_response({"content": found})

    async def _make_mapping(self, request: web.Request) -> web.Response:
        mapping = {"id": f"{len(self.mappings):016x}", "virtual": False, **await request.json()}
        self.mappings.append(mapping)
        return web.json_response(mapping, status=201)


@pytest.fixture
async def server() -> AsyncIterator[InfluxTwo]:
    two = InfluxTwo()
    runner = web.AppRunner(two.application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    two.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield two
    await runner.cleanup()


def settings_of(server: InfluxTwo, **more: Any) -> InfluxDbSettings:
    return InfluxDbSettings(**{"url": server.url, "org": "bank", "token": "t0ken", **more})


async def test_buckets_are_made_and_mapped_once_and_keep_what_the_settings_say(server: InfluxTwo) -> None:
    settings = settings_of(server)
    done = await set_up(settings, RetentionSettings())
    assert len(done) == 8
    assert done[:2] == ["bucket branchwatch/readings made, 90 days", "bucket branchwatch/readings mapped for InfluxQL"]
    kept = {bucket["name"]: bucket["retentionRules"][0]["everySeconds"] // 86_400 for bucket in server.buckets}
    assert kept == {
        "branchwatch/readings": 90, "branchwatch/minutes": 400, "branchwatch/hours": 3650, "branchwatch/events": 400,
    }  # fmt: skip
    assert {bucket["orgID"] for bucket in server.buckets} == {ORGANIZATION}
    mapped = [
        (item["database"], item["retention_policy"], item["bucketID"], item["default"]) for item in server.mappings
    ]
    assert mapped == [
        ("branchwatch", name, f"{number:016x}", name == "readings")
        for number, name in enumerate(("readings", "minutes", "hours", "events"))
    ]
    assert await set_up(settings, RetentionSettings()) == []
    assert await set_up(settings, RetentionSettings(readings_days=30)) == [
        "bucket branchwatch/readings changed to 30 days"
    ]
    assert server.buckets[0]["retentionRules"][0]["everySeconds"] == 30 * 86_400
    assert await set_up(settings, RetentionSettings(readings_days=30)) == []


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"org": "nobody"}, "no organization 'nobody'; check collector.influxdb.org"),
        ({"token": "wr0ng"}, "check collector"),
    ],
)
async def test_a_wrong_organization_or_token_is_named(server: InfluxTwo, section: dict[str, str], said: str) -> None:
    with pytest.raises(DependencyUnavailable, match=said) as refused:
        await set_up(settings_of(server, **section), RetentionSettings())
    assert "wr0ng" not in str(refused.value)
    assert server.buckets == []
