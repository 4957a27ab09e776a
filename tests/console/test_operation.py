"""What those see who run the server: health, readiness, metrics and the description of the API."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from console.app import Console
from console.settings import ConsoleSettings
from contracts.errors import ConfigurationError, DependencyUnavailable
from runtime.clock import SystemClock
from runtime.database import Database, metadata, sqlite_url
from runtime.event_log import EventLog
from runtime.metrics import new_registry
from runtime.settings import BrokerSettings
from tests.console.house import House, open_house


async def fetch(house: House, path: str) -> tuple[int, str]:
    async with house.http.get(f"{house.console.url}{path}") as response:
        return response.status, await response.text()


async def test_readiness_names_what_is_down(broker: BrokerSettings, tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "house.db"))
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)

    async def fine() -> None:
        """Answers."""

    async def down() -> None:
        raise DependencyUnavailable("broker 127.0.0.1:1883: no connection")

    async def hangs() -> None:
        await asyncio.sleep(60)

    checks = {"store": fine, "broker": down, "slow": hangs}
    log = EventLog(database, SystemClock())
    async with open_house(broker, database, log, tmp_path, checks) as house:
        assert await fetch(house, "/healthz") == (200, '{"status":"ok"}')
        status, body = await fetch(house, "/readyz")
    await database.close()
    found = json.loads(body)
    assert (status, found["ready"]) == (503, False)
    assert {item["name"]: (item["ready"], item["detail"]) for item in found["dependencies"]} == {
        "store": (True, ""),
        "broker": (False, "broker 127.0.0.1:1883: no connection"),
        "slow": (False, "no answer within 2 s"),
    }


async def test_metrics_count_requests_by_route(house: House) -> None:
    await house.get("faults/77", 404)
    await house.get("faults/78", 404)
    status, text = await fetch(house, "/metrics")
    assert status == 200
    line = 'branchwatch_http_requests_total{method="GET",route="/api/v1/faults/{fault_id}",status="404"} 2.0'
    assert line in text


async def test_a_taken_port_is_a_configuration_error_that_names_it(house: House) -> None:
    port = int(house.console.url.rpartition(":")[2])
    second = Console(ConsoleSettings(port=port), house.watched, house.event_log, SystemClock(), new_registry(), {})
    with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port}.*console\.port"):
        await second.start()


async def test_every_route_is_described_and_every_reference_resolves(house: House) -> None:
    status, text = await fetch(house, "/api/openapi.json")
    assert status == 200
    document = json.loads(text)
    assert document["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == {(endpoint.method, endpoint.path) for endpoint in house.console.endpoints}
    for reference in references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found, reference
    used = {reference.rpartition("/")[2] for reference in references(document)}
    assert used == set(document["components"]["schemas"])


async def test_every_operation_has_a_name_its_parameters_and_its_refusals(house: House) -> None:
    document = json.loads((await fetch(house, "/api/openapi.json"))[1])
    names = []
    for path, item in document["paths"].items():
        for operation in item.values():
            names.append(operation["operationId"])
            in_path = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"]
            assert in_path == re.findall(r"\{(\w+)\}", path)
            assert operation["summary"]
            assert {"200", "403", "500"} <= set(operation["responses"])
            for status, response in operation["responses"].items():
                media = list(response["content"])
                assert status == "200" or media == ["application/problem+json"]
    assert len(names) == len(set(names))


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    if isinstance(node, list):
        return [found for value in node for found in references(value)]
    return []


async def test_the_page_may_load_nothing_from_elsewhere(house: House) -> None:
    async with house.http.get(house.console.url) as response:
        assert response.content_type == "text/html"
        policy = response.headers["Content-Security-Policy"]
        tag = response.headers["ETag"]
        text = await response.text()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://|style=|\son\w+=|<script(?! type=\"module\" src=)", text)
    async with house.http.get(house.console.url, headers={"If-None-Match": tag}) as response:
        assert response.status == 304
    assert (await fetch(house, "/static/../app.py"))[0] == 404
