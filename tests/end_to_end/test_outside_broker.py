"""The server on Debian's mosquitto: packs written by hand, malformed ones among them, seen through the API."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from branchwatch.child import Child
from branchwatch.deployment import Api
from contracts.identity import shard_of
from runtime.settings import BrokerSettings
from tests.conftest import free_port
from tests.mosquitto import mosquitto_pub

BRANCH = "BR0777"
DEVICE = f"{BRANCH}/atm-01"
COUNT = "cdm/unit1/count"


class House:
    """A server on an outside broker."""

    def __init__(self, api: Api, broker: BrokerSettings) -> None:
        self.api = api
        self._broker = broker
        self.seq = 0

    async def send(self, channel: str, payload: bytes) -> None:
        """Publish with mosquitto_pub."""
        name = f"branchwatch/v1/{shard_of(BRANCH)}/{BRANCH}/{channel}"
        await mosquitto_pub(self._broker, name, payload)

    def pack(self, value: float, **more: Any) -> list[dict[str, Any]]:
        """A pack as a person would write it: header, one reading."""
        self.seq += 1
        return [
            {"bn": f"{BRANCH}/gateway/", "bt": time.time(), "n": "boot", "vs": "by-hand"},
            {"n": "seq", "v": self.seq},
            {"n": "sent_at", "v": time.time()},
            {"bn": f"{DEVICE}/", "n": COUNT, "u": "count", "v": value, **more},
        ]

    async def value(self) -> float | None:
        """What the API gives as the newest count of the cassette."""
        readings = await self.api.get(f"/api/v1/devices/{DEVICE}/readings")
        return next((item["value"] for item in readings["items"] if item["path"] == COUNT), None)

    async def wait_for(self, value: float) -> None:
        """Wait until the API shows a count."""
        async with asyncio.timeout(20):
            while await self.value() != value:
                await asyncio.sleep(0.05)


@pytest.fixture
async def house(mosquitto: BrokerSettings, tmp_path: Path) -> AsyncIterator[House]:
    port = free_port()
    settings = tmp_path / "server.yaml"
    broker = {"embedded": False, "host": mosquitto.host, "port": mosquitto.port}
    document = {"data_dir": str(tmp_path / "data"), "broker": broker, "console": {"port": port}}
    settings.write_text(yaml.safe_dump(document))
    server = Child("server", ["server", "--settings", str(settings)], tmp_path / "server.log")
    await server.start()
    api = Api(f"http://127.0.0.1:{port}")
    await api.wait_ready(server, 60)
    under_trial = House(api, mosquitto)
    devices = [{"id": "gateway", "kind": "gateway", "driver": ""}, {"id": "atm-01", "kind": "atm", "driver": "xfs"}]
    await under_trial.send("inventory", json.dumps({"branch_id": BRANCH, "devices": devices}).encode())
    async with asyncio.timeout(20):
        while DEVICE not in [device["device_id"] for device in await api.all_items("/api/v1/devices")]:
            await asyncio.sleep(0.05)
    yield under_trial
    assert await server.end() == 0


async def test_a_pack_written_by_hand_appears_among_the_devices_readings(house: House) -> None:
    await house.send("telemetry", json.dumps(house.pack(155)).encode())
    await house.wait_for(155)


def malformed(house: House) -> dict[str, bytes]:
    """Ten kinds of malformed packs, by the reason that has to be given."""

    def written(*changes: Any, **more: Any) -> bytes:
        return json.dumps([*house.pack(1, **more), *changes]).encode()

    without_header = json.dumps(house.pack(1)[3:]).replace('"bn"', f'"bt": {time.time()}, "bn"').encode()
    return {
        "not_json": b"\x00\xffnonsense",
        "not_an_array": json.dumps(house.pack(1)[3]).encode(),
        "empty_pack": b"[]",
        "malformed_record": written({"n": "x", "v": "five"}),
        "unknown_label": written(must_=1),
        "bad_name": written({"bn": "", "n": "no spaces", "v": 1}),
        "value_count": written({"n": "both", "v": 1, "vs": "one"}),
        "relative_time": written({"bt": 0, "n": COUNT, "v": 1, "t": -5}),
        "unsupported_version": written({"bver": 99, "n": COUNT, "v": 1}),
        "missing_header": without_header,
        "unknown_signal": written({"n": "cdm/warp_drive", "v": 1}),
        "wrong_type": written({"n": "cdm/shutter", "v": 5}),
        "wrong_unit": written({"n": "cdm/unit2/count", "u": "V", "v": 5}),
        "time_out_of_range": written({"n": "cdm/unit2/count", "u": "count", "v": 5, "t": 86_400}),
    }


async def test_malformed_packs_go_to_quarantine_with_their_reason_and_the_next_good_one_is_stored(house: House) -> None:
    await house.send("telemetry", json.dumps(house.pack(100)).encode())
    await house.wait_for(100)
    wrong = malformed(house)
    for number, payload in enumerate(wrong.values()):
        await house.send("telemetry", payload)
        await house.send("telemetry", json.dumps(house.pack(200 + number)).encode())
        await house.wait_for(200 + number)
    kept = await house.api.all_items("/api/v1/quarantine", branch_id=BRANCH)
    assert {entry["code"] for entry in kept} == set(wrong)
    assert all(entry["detail"] for entry in kept)
