"""Packs made without devices are packs as gateways make them."""

from contracts import senml
from contracts.devices import KINDS
from contracts.pack import MESSAGE_BYTES, Header, PackId, split_pack
from contracts.senml import Resolved
from contracts.signals import Condition, Sort
from simulators.branch import SimulatedBranch
from simulators.load.rounds import DEVICES, VARIANTS, Share, live, pack, readings_of_a_branch, snapshot
from simulators.world import World

BRANCH = "LD00001"
AT_S = 1_795_000_000.25
HEADER = Header(PackId(BRANCH, "boot-1", 7), 1_795_000_000_300)


def resolved(share: Share) -> list[Resolved]:
    payload = pack(BRANCH.encode(), HEADER, share, AT_S)
    assert len(payload) < MESSAGE_BYTES
    header, readings = split_pack(senml.resolve(senml.decode(payload)), BRANCH)
    assert header == HEADER
    return list(readings)


def series(reading: Resolved) -> tuple[str, str]:
    branch, local_id, path = reading.name.split("/", 2)
    assert branch == BRANCH
    return local_id, path


def assert_sound(readings: list[Resolved]) -> None:
    """Every reading is of a signal of its device's kind, in its unit and range, and tells of nothing wrong."""
    for reading in readings:
        local_id, path = series(reading)
        signal = KINDS[DEVICES[local_id]].signal(path)
        assert signal is not None, reading.name
        assert (reading.time_s, reading.unit, reading.update_s) == (AT_S, signal.unit, signal.heartbeat_s)
        if signal.sort is Sort.STATE:
            assert isinstance(reading.value, str)
            ordinal = signal.ordinal(reading.value)
            assert ordinal is not None
            assert signal.states[ordinal].condition is Condition.OK, reading.name
        else:
            assert isinstance(reading.value, float)
            low, high = signal.bounds
            assert low is None or low <= reading.value, reading.name
            assert high is None or reading.value <= high, reading.name


def test_devices_are_those_of_a_simulated_branch() -> None:
    branch = SimulatedBranch("BR0001", World(), ("127.0.0.1", 1))
    kinds = {address.local_id: address.kind for address in branch.addresses}
    assert {"gateway": "gateway", **kinds} == DEVICES
    assert kinds == {local_id: device.kind for local_id, device in branch.devices.items()}


def test_a_snapshot_holds_every_series_once() -> None:
    shares = snapshot(0, seed=1, most=200)
    readings = [reading for share in shares for reading in resolved(share)]
    assert len(readings) == sum(share.readings for share in shares) == readings_of_a_branch()
    assert len({reading.name for reading in readings}) == len(readings)
    assert {series(reading)[0] for reading in readings} == set(DEVICES)
    assert_sound(readings)


def test_a_live_pack_has_about_the_readings_asked_for_from_every_device() -> None:
    for wanted in (60, 100, 300):
        share = live(1, 0, seed=1, readings=wanted)
        readings = resolved(share)
        assert len(readings) == share.readings
        assert abs(share.readings - wanted) <= len(DEVICES)
        assert {series(reading)[0] for reading in readings} == set(DEVICES)
        assert_sound(readings)


def test_in_the_course_of_rounds_every_series_is_told() -> None:
    told = {reading.name for number in range(1, 60) for reading in resolved(live(number, 0, 1, 100))}
    assert len(told) == readings_of_a_branch()


def test_counters_never_fall() -> None:
    last: dict[str, float] = {}
    for share in (*snapshot(0, 1, 200), *(live(number, 0, 1, 200) for number in range(1, 30))):
        for reading in resolved(share):
            local_id, path = series(reading)
            signal = KINDS[DEVICES[local_id]].signal(path)
            if signal is not None and signal.sort is Sort.COUNTER:
                assert isinstance(reading.value, float)
                assert reading.value >= last.get(reading.name, 0.0)
                last[reading.name] = reading.value


def test_the_same_seed_gives_the_same_readings_and_neighbours_differ() -> None:
    assert live(3, 5, 1, 100) == live(3, 5, 1, 100)
    assert len({live(3, variant, 1, 100).pieces for variant in range(VARIANTS)}) == VARIANTS
    assert live(3, 5, 1, 100) != live(3, 5, 2, 100)
