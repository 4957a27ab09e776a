"""The operators' page about the store: what it asks answers, what it names is there, and its settings are the defaults."""

import re
from pathlib import Path
from typing import Final

import yaml
from yarl import URL

from collector.missing import MissingState
from collector.settings import CollectorSettings
from collector.stores import STORE_DIRECTORY
from console.api.device_models import MOST_BUCKETS, MOST_PATHS
from console.settings import ConsoleSettings
from runtime.clock import SystemClock
from runtime.database import Database, metadata, sqlite_url
from runtime.event_log import EventLog
from runtime.settings import BrokerSettings
from tests.console.house import atm, open_house
from tests.documents.page import BLOCK

ROOT: Final = Path(__file__).parents[2]
ENGLISH, CHINESE = (
    (ROOT / "docs" / "how-to" / name).read_text(encoding="utf-8")
    for name in ("look-after-the-store.md", "look-after-the-store.zh.md")
)
ADDRESS: Final = f"http://localhost:{ConsoleSettings().port}"
BRANCH: Final = "BR0421"


def named(page: str) -> set[str]:
    """What a page names in code."""
    return set(re.findall("`([^`\n]+)`", BLOCK.sub("", page)))


def test_both_languages_say_the_same() -> None:
    assert BLOCK.findall(ENGLISH) == BLOCK.findall(CHINESE)
    assert named(ENGLISH) == named(CHINESE)
    assert len(re.findall("^#", ENGLISH, re.MULTILINE)) == len(re.findall("^#", CHINESE, re.MULTILINE))
    assert ENGLISH.count("\n| ") == CHINESE.count("\n| ")


def test_its_settings_are_the_defaults() -> None:
    (text,) = [body for language, body in BLOCK.findall(ENGLISH) if language == "yaml"]
    assert CollectorSettings.model_validate(yaml.safe_load(text)["collector"]) == CollectorSettings()
    settings = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert {"hole_tries", "outbox.max_bytes"} <= named(ENGLISH)
    assert "`collector.hole_tries`" in settings
    assert "`outbox.max_bytes`" in settings


def test_its_figures_and_states_are_those_of_the_code() -> None:
    assert f"up to {MOST_PATHS} signals" in ENGLISH
    assert f"at most {MOST_BUCKETS:,} stretches" in ENGLISH
    assert {str(state) for state in MissingState} <= named(ENGLISH)


async def test_all_it_asks_for_answers_and_the_files_are_where_it_says(broker: BrokerSettings, tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "ops.db"))
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    asked = re.findall(rf'curl -s "?({ADDRESS}[^\s"]*)', ENGLISH)
    assert len(asked) >= 7
    async with open_house(broker, database, EventLog(database, SystemClock()), tmp_path) as house:
        branch = house.branch(BRANCH)
        await branch.announce(atm())
        await branch.report("atm-01", cdm__unit1__count=1, cdm__presents=1)
        await house.wait_for("gateways", lambda page: page["items"] and page["items"][0]["committed_packs"])
        said = {}
        for url in asked:
            async with house.http.get(URL(url.replace(ADDRESS, house.console.url), encoded=True)) as response:
                assert response.status == 200, url
                said[url.removeprefix(ADDRESS)] = await response.text()
        store = tmp_path / STORE_DIRECTORY
        for name in ("recent.duckdb", "history"):
            assert (store / name).exists()
            assert f"{STORE_DIRECTORY}/{name}" in named(ENGLISH)
        assert list(store.glob("recent.duckdb*.wal"))
    await database.close()
    metrics = {name for name in named(ENGLISH) if name.startswith("branchwatch_")}
    assert metrics
    assert {name for name in metrics if f"\n{name}" not in said["/metrics"]} == set()
    assert '"damages":[]' in said["/api/v1/store"]
