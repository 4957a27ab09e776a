"""The operators' page about InfluxDB: its settings load, its command does what it says, its question is answered."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from branchwatch.child import Child
from branchwatch.server import ServerSettings
from collector.adapters.influxdb_store import InfluxDbStore
from collector.settings import CollectorSettings
from collector.store import SeriesRow
from contracts.pack import PackId
from contracts.readings import ReadingBatch
from runtime.clock import SystemClock
from runtime.database import Database, sqlite_url
from tests.documents.page import BLOCK
from tests.influxdb import InfluxServer, WriteRoute

ROOT: Final = Path(__file__).parents[2]
ENGLISH, CHINESE = (
    (ROOT / "docs" / "how-to" / name).read_text(encoding="utf-8") for name in ("use-influxdb.md", "use-influxdb.zh.md")
)


def blocks(page: str, language: str) -> list[str]:
    return [body for found, body in BLOCK.findall(page) if found == language]


def test_both_languages_say_the_same_to_type() -> None:
    for language in ("yaml", "sh", "sql"):
        assert blocks(ENGLISH, language) == blocks(CHINESE, language)
        assert len(blocks(ENGLISH, language)) == 1
    assert ENGLISH.count("\n## ") == CHINESE.count("\n## ")
    assert ENGLISH.count("\n| ") == CHINESE.count("\n| ")


def test_what_the_page_says_an_error_says_is_what_one_says() -> None:
    code = " ".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "collector" / "adapters").glob("influxdb_*.py")
    )
    for said in (
        "is it running and reachable?",
        "branchwatch db upgrade",
        "expected InfluxDB 1.8 or later",
        "was made by another process",
    ):
        assert f"`{said}`" in ENGLISH
        assert f"`{said}`" in CHINESE
        assert said in code


async def test_the_page_leads_to_readings_that_grafana_can_ask_for(
    influxdb: InfluxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with WriteRoute(influxdb.url).listening() as route:
        document: dict[str, Any] = yaml.safe_load(blocks(ENGLISH, "yaml")[0])
        variable = "BRANCHWATCH_COLLECTOR__INFLUXDB__PASSWORD"
        assert f"`{variable}`" in ENGLISH
        monkeypatch.setenv(variable, "s3cret")
        shown = ServerSettings(**document).collector
        assert shown.store == "influxdb"
        name = f"test-{uuid.uuid4().hex}"
        document["collector"]["influxdb"] = {"url": route.url, "database": name}
        (tmp_path / "server.yaml").write_text(yaml.safe_dump({"data_dir": str(tmp_path / "data"), **document}))
        command = blocks(ENGLISH, "sh")[0].split()
        assert command[0] == ".venv/bin/branchwatch"
        arguments = [str(tmp_path / "server.yaml") if word == "server.yaml" else word for word in command[1:]]
        upgrade = Child("db upgrade", arguments, tmp_path / "log")
        await upgrade.start()
        assert await _ended(upgrade) == 0, upgrade.last_words()
        assert "InfluxDB is set up." in (tmp_path / "log").read_text()

        settings = CollectorSettings(**document["collector"])
        database, clock = Database(sqlite_url(tmp_path / "data" / "ops.db")), SystemClock()
        store = InfluxDbStore(settings.influxdb, settings.retention, database, clock)
        await store.open()
        batch = ReadingBatch.of([(0, clock.now_ms() - 1000, 155.0), (1, clock.now_ms() - 1000, 7.0)])
        series = [SeriesRow(number, "BR0421/atm-01", "atm", f"cdm/unit{number + 1}/count") for number in range(2)]
        await store.append(batch, [PackId("BR0421", "boot", 1)], series)
        await store.close()
        await database.close()
        question = blocks(ENGLISH, "sql")[0].replace('"readings".', f'"{name}"."readings".')
        answer = json.loads(influxdb.query(question))
        assert [value for _, value in answer["results"][0]["series"][0]["values"]] == [155.0]
        influxdb.query(f'DROP DATABASE "{name}"')


async def _ended(child: Child) -> int:
    process = child._process
    assert process is not None
    async with asyncio.timeout(60):
        return await process.wait()
