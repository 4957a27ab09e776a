"""Branchwatch's header on top of SenML."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import senml
from contracts.errors import ContractViolation, RefusalCode
from contracts.pack import Header, PackId, encode_pack, encode_readings, split_pack
from contracts.reading import Reading

NOW_MS = 1_795_338_918_250
HEADER = Header(PackId("BR0421", "0a1b", 17), NOW_MS)

READINGS = st.builds(
    Reading,
    device_id=st.sampled_from(["BR0421/atm-01", "BR0421/gateway"]),
    path=st.sampled_from(["cdm/unit1/count", "link/state"]),
    value=st.floats(-1e9, 1e9) | st.sampled_from(["up", "down"]),
    observed_at_ms=st.integers(NOW_MS - 10**9, NOW_MS),
    unit=st.none() | st.just("count"),
    update_s=st.none() | st.integers(1, 900).map(float),
)


def unpack(payload: bytes, branch: str = "BR0421") -> tuple[Header, list[senml.Resolved]]:
    header, records = split_pack(senml.resolve(senml.decode(payload)), branch)
    return header, list(records)


@given(st.integers(1, 2**53 - 1))
def test_what_a_full_gateway_dropped_is_said_in_the_header(dropped: int) -> None:
    header = Header(HEADER.pack_id, NOW_MS, dropped)
    assert unpack(encode_pack(header, [])) == (header, [])


@pytest.mark.parametrize("dropped", ['"v":-1', '"v":1.5', '"vs":"many"'])
def test_a_count_of_dropped_readings_that_is_none_is_refused(dropped: str) -> None:
    payload = encode_pack(Header(HEADER.pack_id, NOW_MS, 3), []).replace(b'"v":3', dropped.encode(), 1)
    with pytest.raises(ContractViolation) as caught:
        unpack(payload)
    assert (caught.value.refusal, caught.value.record) == (RefusalCode.MISSING_HEADER, 3)


@given(st.lists(st.lists(READINGS, min_size=1, max_size=5), max_size=5))
def test_readings_survive_the_way_to_the_collector(fragments: list[list[Reading]]) -> None:
    header, records = unpack(encode_pack(HEADER, [encode_readings(readings) for readings in fragments]))
    assert header == HEADER
    sent = [reading for readings in fragments for reading in readings]
    assert [(r.name, r.value, round(r.time_s * 1000), r.unit, r.update_s) for r in records] == [
        (f"{r.device_id}/{r.path}", r.value, r.observed_at_ms, r.unit, r.update_s) for r in sent
    ]


def refusal(payload: bytes, branch: str = "BR0421") -> RefusalCode:
    with pytest.raises(ContractViolation) as refused:
        unpack(payload, branch)
    return refused.value.refusal


def pack_with(**changes: object) -> bytes:
    values: dict[str, object] = {"boot": "0a1b", "seq": 17, "sent_at": NOW_MS / 1000} | changes
    records = [
        senml.Record(
            n=f"BR0421/gateway/{name}",
            t=1.79e9,
            v=float(value) if isinstance(value, (int, float)) else None,
            vs=value if isinstance(value, str) else None,
        )
        for name, value in values.items()
        if value is not None
    ]
    return senml.encode(records or [senml.Record(n="BR0421/atm-01/x", t=1.79e9, v=1)])


@pytest.mark.parametrize(
    "changes",
    [
        {"boot": None}, {"seq": None}, {"sent_at": None}, {"boot": ""}, {"boot": "x" * 65}, {"boot": 5},
        {"boot": "a\x00b"}, {"boot": "*quarantine"},
        {"seq": 0}, {"seq": -1}, {"seq": 1.5}, {"seq": "17"}, {"seq": 2.0**60}, {"sent_at": 5}, {"sent_at": 1e15},
    ],
)  # fmt: skip
def test_a_header_that_is_not_whole_is_refused(changes: dict[str, object]) -> None:
    assert refusal(pack_with(**changes)) is RefusalCode.MISSING_HEADER


def test_a_pack_on_another_branchs_topic_is_refused() -> None:
    assert refusal(encode_pack(HEADER, []), branch="BR0001") is RefusalCode.WRONG_BRANCH


def test_a_pack_that_only_sets_bases_has_no_header() -> None:
    assert refusal(b'[{"bn":"BR0421/gateway/"}]') is RefusalCode.MISSING_HEADER
