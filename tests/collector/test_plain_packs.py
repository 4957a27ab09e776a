"""Packs read together mean what they mean read record by record, and whatever is odd is left to those who refuse."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.columns import Assembly, Columns, Stretch
from collector.decoding import BatchReading, Decoded, Decoder
from collector.fleet import Fleet
from collector.series import SeriesRegistry
from collector.vocabulary import WORDS
from contracts.pack import Header, PackId, encode_pack, encode_readings
from contracts.reading import Reading
from contracts.readings import EventReading, ReadingBatch
from tests.collector.parts import ATM, BOOT, BRANCH, NOW_MS, header_json

GATEWAY = f"{BRANCH}/gateway"
CAMERA = f"{BRANCH}/cam-01"
NEW = f"{BRANCH}/atm-02"
"""Has said one thing so far."""

KINDS = {ATM: "atm", NEW: "atm", CAMERA: "camera", GATEWAY: "gateway", "BR0001/atm-01": "atm"}
FUTURE_MS = 300_000

UNITS = {"cdm/unit1/count": "count", "cdm/unit2/count": "count", "link/reconnects": "count"}
NUMBERS = list(UNITS)
STATES = {"cdm/device": ["online", "hardwareError"], "link/state": ["up", "down"]}
EVENT = "cdm/error"


class Branch:
    """A fleet that stands still."""

    def kind_of(self, device_id: str) -> str | None:
        return KINDS.get(device_id)


def make_decoder(*, knows: Sequence[str] = (*NUMBERS, *STATES, EVENT)) -> Decoder:
    registry = SeriesRegistry()
    for device_id, kind in KINDS.items():
        for path in knows:
            if device_id != NEW or path == EVENT:
                registry.take(device_id, kind, path)
    registry.take(GATEWAY, "gateway", "uplink/missing_packs")
    registry.take(GATEWAY, "gateway", "uplink/state")
    return Decoder(cast(Fleet, Branch()), registry, 256 * 1024, FUTURE_MS)


def read(decoder: Decoder, payloads: Sequence[bytes]) -> tuple[ReadingBatch, list[Decoded]]:
    reading = BatchReading(decoder, NOW_MS)
    for payload in payloads:
        reading.add(payload, BRANCH)
    return reading.finish()


Rows = list[tuple[int, int, float]]


def rows_of(batch: ReadingBatch) -> Rows:
    columns = (batch.series.tolist(), batch.observed_at_ms.tolist(), batch.value.tolist())
    return list(zip(*columns, strict=True))


def sound_of(together: ReadingBatch, part: Columns | Stretch) -> tuple[Rows, list[EventReading]]:
    assembly = Assembly()
    assembly.read_together(together)
    assembly.take(part, live=True)
    batch = assembly.batch()
    assert batch.live.all()
    return rows_of(batch), list(batch.events)


times_s = st.one_of(
    st.integers(-5000, 5000).map(lambda ms: NOW_MS / 1000 + ms / 1000),
    st.sampled_from([0, 1e9, 9e8, NOW_MS / 1000, NOW_MS / 1000 + 400, 1e14, -5, 1e300]),
)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1000, 1000)
sound_records = st.one_of(
    st.fixed_dictionaries({"n": st.sampled_from(NUMBERS), "v": numbers}, optional={"u": st.just("count")}),
    st.sampled_from([{"n": path, "vs": word} for path, words in STATES.items() for word in words]),
    st.fixed_dictionaries({"n": st.just(EVENT), "vs": st.sampled_from(["", "jam", "online", "卡钞"])}),
)
ODD: list[dict[str, Any]] = [
    {"n": "cdm/unit1/count", "vs": "many"}, {"n": "cdm/device", "v": 1}, {"n": EVENT, "v": 1},
    {"n": "cdm/device", "vs": "tired"}, {"n": "cdm/device", "vs": "up"}, {"n": "cdm/device", "vs": ""},
    {"n": "cdm/device", "v": 1, "vs": "online"}, {"n": "cdm/unit1/count", "v": 1, "vs": ""},
    {"n": "cdm/device", "vs": "online", "u": "count"}, {"n": "cdm/unit1/count", "v": 1, "u": "Cel"},
    {"n": EVENT, "vs": "x" * 5000}, {"n": EVENT, "vs": "a note is stuck", "u": "count"}, {"n": EVENT, "v": 1, "vs": "a note is stuck"},
    {"n": "cdm/unit1/count", "v": 1, "bv": 2}, {"n": "cdm/unit1/count", "vb": True}, {"n": "cdm/unit1/count"},
    {"n": "cdm/unit1/count", "s": 1}, {"n": "cdm/unit1/count", "v": 1, "x_": 1}, {"bu": "count"},
    {"n": "cdm/unit1/count", "v": 1, "vendor": [1]}, {"n": "cdm/unit1/count", "v": None}, {"v": 1}, {"t": 1},
    {"n": "uplink/state", "vs": "connected"}, {"n": "uplink/missing_packs", "v": 1}, {"n": "", "v": 1},
    {"n": "cdm/mood", "v": 1}, {"n": "cdm unit", "v": 1}, {"n": "cdm/unit1/count", "v": "1"}, {"bn": ""},
    {"n": f"{ATM}/cdm/unit1/count", "v": 1}, {"n": "dropped", "v": 2}, {"n": "cdm/unit1/count", "v": 1, "bver": 5},
    {"bn": f"{NEW}/", "n": "cdm/unit1/count", "v": 1}, {"n": EVENT, "vs": "a note is stuck", "bt": 9e8},
    {"n": "cdm/unit2/count", "v": 2}, {"bn": "BR0001/atm-01/", "n": "cdm/unit1/count", "v": 1},
]  # fmt: skip
odd_records = st.one_of(
    st.sampled_from(ODD),
    st.dictionaries(st.sampled_from(["bn", "n", "u", "v", "vs", "t", "ut"]), st.none() | st.just(1) | st.just("a")),
)  # fmt: skip
places = st.fixed_dictionaries(
    {},
    optional={
        "bn": st.sampled_from([f"{device_id}/" for device_id in KINDS] + [ATM, "", "BR0421/atm-99/", f"{ATM}/cdm/"]),
        "bt": times_s,
        "t": st.integers(-3000, 3000).map(lambda ms: ms / 1000) | st.sampled_from([1e9, 0.0004, 0.0001]),
        "ut": st.sampled_from([300, 0.5, "soon"]),
    },
)


def placed(record: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
    return {**place, **record}


def moved(record: dict[str, Any], ms: int) -> dict[str, Any]:
    return {**record, "t": ms / 1000}


sound = st.lists(st.builds(moved, sound_records, st.integers(0, 4)), max_size=6)
"""At few different times, so that some clash."""


def with_one(before: list[dict[str, Any]], odd: dict[str, Any], after: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*before, odd, *after]


rows_of_a_pack = st.one_of(
    sound,
    st.builds(with_one, sound, odd_records, sound),
    st.builds(with_one, sound, st.builds(placed, sound_records, places), sound),
    st.lists(st.builds(placed, sound_records | odd_records, places), max_size=12),
)
headers = st.one_of(
    st.just(header_json(1)),
    st.just([*header_json(2), {"n": "dropped", "v": 3}]),
    st.sampled_from(
        [
            [], header_json()[:2], header_json(branch="BR0001"), header_json(boot="a b"), header_json(boot=""),
            [*header_json(0)], [*header_json()[:2], {"n": "sent_at", "v": 5}], [*header_json(), {"n": "dropped", "v": -1}],
            [{**header_json()[0], "bt": 5}, *header_json()[1:]], [{**header_json()[0], "v": 5}, *header_json()[1:]],
            [header_json()[0], {"n": "seq", "v": 1.5}, header_json()[2]],
            [header_json()[0], {"n": "seq", "v": 1, "t": 3}, header_json()[2]],
            [header_json()[0], {"n": "seq", "v": 1, "bt": 1.7e9}, header_json()[2]],
            [header_json()[0], {"n": "seq", "v": 1, "bn": f"{ATM}/"}, header_json()[2]],
        ]
    ),
)  # fmt: skip
payloads = st.builds(
    lambda head, rows: msgspec.json.encode(
        [*head, *([{"bn": f"{ATM}/", "bt": NOW_MS / 1000, **rows[0]}, *rows[1:]] if rows else [])]
    ),
    st.one_of(st.just(header_json(1)), headers),
    rows_of_a_pack,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(payloads | st.binary(max_size=30), min_size=1, max_size=4))
def test_packs_read_together_hold_what_they_hold_read_one_by_one(payloads: list[bytes]) -> None:
    check_against_each_alone(payloads)


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_one_odd_record_in_a_sound_pack_is_seen(odd: dict[str, Any]) -> None:
    before = [{"n": "cdm/unit2/count", "u": "count", "v": 1}, {"n": "cdm/device", "vs": "online", "t": 0.001}]
    check_against_each_alone([pack_of(*before, odd, {"n": "cdm/device", "vs": "hardwareError", "t": 0.002})])


def check_against_each_alone(payloads: list[bytes]) -> None:
    decoder = make_decoder()
    together, decoded = read(decoder, payloads)
    for payload, found in zip(payloads, decoded, strict=True):
        alone = decoder.decode(payload, BRANCH, NOW_MS)
        assert isinstance(alone.sound, Columns)
        assert found.header == alone.header
        assert list(found.refusals) == list(alone.refusals)
        expected = list(zip(alone.sound.series, alone.sound.observed_at_ms, alone.sound.value, strict=True))
        assert sound_of(together, found.sound) == (expected, alone.sound.events)


readings = st.one_of(
    st.builds(
        lambda device, path, value, ms: Reading(device, path, value, NOW_MS - ms, "count", 300),
        st.sampled_from([ATM, CAMERA]), st.sampled_from(["link/reconnects"]), numbers.map(float), st.integers(0, 10**9),
    ),
    st.builds(
        lambda path, value, ms: Reading(ATM, path, value, NOW_MS - ms, "count", 900),
        st.sampled_from(NUMBERS), numbers.map(float), st.integers(0, 10**9),
    ),
    st.builds(
        lambda device, word, ms: Reading(device, "link/state", word, NOW_MS - ms, None, 300),
        st.sampled_from([ATM, CAMERA]), st.sampled_from(["up", "down"]), st.integers(0, 10**9),
    ),
    st.builds(lambda text, ms: Reading(ATM, EVENT, text, NOW_MS - ms), st.text(max_size=20), st.integers(0, 10**9)),
)  # fmt: skip


@given(st.lists(st.lists(readings, min_size=1, max_size=8), max_size=5), st.integers(0, 3))
def test_what_a_gateway_packs_is_read_together(fragments: list[list[Reading]], dropped: int) -> None:
    """As its driver told it: no signal twice at one time."""
    named: set[tuple[str, str, int]] = set()
    for fragment in fragments:
        for one in list(fragment):
            key = (one.device_id, one.path, one.observed_at_ms)
            fragment.remove(one) if key in named else named.add(key)
    header = Header(PackId(BRANCH, BOOT, 1), NOW_MS, dropped)
    payload = encode_pack(header, [encode_readings(fragment) for fragment in fragments if fragment])
    _, (found,) = read(make_decoder(), [payload])
    has_a_word_as_text = any(one.path == EVENT and one.value in WORDS for fragment in fragments for one in fragment)
    assert isinstance(found.sound, Stretch) or has_a_word_as_text
    assert (found.header, len(found.sound)) == (header, sum(map(len, fragments)))


def pack_of(*rows: dict[str, Any], seq: int = 1) -> bytes:
    first, *others = rows
    return msgspec.json.encode([*header_json(seq), {"bn": f"{ATM}/", "bt": NOW_MS / 1000, **first}, *others])


COUNT = {"n": "cdm/unit1/count", "u": "count", "v": 155}


def test_a_series_is_learned_from_the_first_pack_that_has_it() -> None:
    decoder = make_decoder(knows=())
    payload = pack_of(COUNT, {"n": "cdm/device", "vs": "online"})
    _, (first, second) = read(decoder, [payload, payload])
    assert (type(first.sound), type(second.sound)) == (Columns, Stretch)


def test_an_odd_pack_takes_no_other_with_it_and_all_keep_their_order() -> None:
    good = [pack_of({**COUNT, "v": seq}, seq=seq) for seq in range(1, 5)]
    late = pack_of({**COUNT, "v": 5, "t": 400}, seq=5)  # noticed only when all are looked at
    odd = pack_of({**COUNT, "v": 6, "bv": 0}, {**COUNT, "n": "cdm/unit2/count"}, seq=6)
    together, decoded = read(make_decoder(), [good[0], odd, good[1], good[2], late, good[3]])
    assert [type(found.sound) for found in decoded] == [Stretch, Columns, Stretch, Stretch, Columns, Stretch]
    assembly = Assembly()
    assembly.read_together(together)
    assembly.alone.add(0, NOW_MS - 1, -1.0)
    for number, found in enumerate(decoded):
        assembly.take(found.sound, live=number != 3)
    batch = assembly.batch()
    assert batch.value.tolist() == [-1.0, 1.0, 6.0, 155.0, 2.0, 3.0, 4.0]
    assert batch.live.tolist() == [True, True, True, True, True, False, True]
    assert [refusal.code for refusal in decoded[4].refusals] == ["time_out_of_range"]


def test_a_device_that_became_another_kind_is_looked_up_again() -> None:
    decoder = make_decoder(knows=["link/state"])
    payload = pack_of({"n": "link/state", "vs": "up"})
    together, (before,) = read(decoder, [payload])
    KINDS[ATM] = "camera"
    try:
        decoder.forget_names(BRANCH)
        together_then, (first, after) = read(decoder, [payload, payload])
        assert isinstance(after.sound, Stretch)
        assert sound_of(together, before.sound) != sound_of(together_then, after.sound)
        assert sound_of(together_then, first.sound) == sound_of(together_then, after.sound)
    finally:
        KINDS[ATM] = "atm"
