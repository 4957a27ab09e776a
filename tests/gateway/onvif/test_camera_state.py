"""Messages of a camera and what becomes of them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.devices import CAMERA
from contracts.signals import Sort
from gateway.driver import Observation
from gateway.drivers.onvif import memory
from gateway.drivers.onvif.camera_state import SOURCES_MOST, CameraState
from gateway.drivers.onvif.event_texts import BURST, TOPIC_PAUSE_S, EventTexts
from gateway.drivers.onvif.memory import PARTS_MOST, Memory
from gateway.drivers.onvif.notification import Notification, read_time
from gateway.drivers.onvif.topics import TOPICS, Meaning, find, normalise


def say(topic: str, value: str, *, item: str = "State", source: str = "1", operation: str = "Changed") -> Notification:
    return Notification(normalise(topic), operation, {"Token": source}, {item: value})


def values(seen: list[Observation]) -> dict[str, float | str]:
    return {observation.path: observation.value for observation in seen}


def told(*notifications: Notification, state: CameraState | None = None) -> dict[str, float | str]:
    return values((state or CameraState(Memory())).take(notifications, 0.0))


@pytest.mark.parametrize(
    ("topic", "item", "value", "path", "expected"),
    [
        ("tns1:VideoSource/SignalLoss", "State", "true", "video/signal_loss", "true"),
        ("tns1:VideoSource/GlobalSceneChange/ImagingService", "State", "true", "video/scene_change", "true"),
        ("tns1:RuleEngine/TamperDetector/Tamper", "IsTamper", "true", "video/tamper", "true"),
        ("tns1:VideoSource/ImageTooDark/AnalyticsService", "State", "false", "video/too_dark", "false"),
        ("tns1:VideoSource/ImageTooBright/RecordingService", "State", "1", "video/too_bright", "true"),
        ("tns1:VideoSource/ImageTooBlurry/ImagingService", "State", "0", "video/too_blurry", "false"),
        ("tns1:VideoSource/ImpairedVisibility", "State", "True", "video/impaired_visibility", "true"),
        ("tns1:VideoSource/MotionAlarm", "State", "active", "video/motion", "true"),
        ("tns1:RuleEngine/CellMotionDetector/Motion//.", "IsMotion", "true", "video/motion", "true"),
        ("tns1:Device/HardwareFailure/FanFailure", "Failed", "true", "hardware/fan_failure", "true"),
        ("tns1:Device/HardwareFailure/PowerSupplyFailure", "Failed", "1", "hardware/power_supply_failure", "true"),
        ("tns1:Device/HardwareFailure/StorageFailure/", "Failed", "true", "hardware/storage_failure", "true"),
        ("tns1:Device/HardwareFailure/TemperatureCritical", "Critical", "true", "hardware/temperature_critical", "true"),
        ("tns1:Device/Trigger/DigitalInput", "LogicalState", "true", "io/input1/state", "true"),
        ("tns1:Device/Trigger/Relay", "LogicalState", "active", "io/relay1/state", "active"),
        ("tns1:Device/Trigger/Relay", "LogicalState", "false", "io/relay1/state", "inactive"),
        ("tns1:Monitoring/ProcessorUsage", "Value", "0.4", "hardware/cpu", 0.4),
        ("tns1:Monitoring/ProcessorUsage", "Value", "40", "hardware/cpu", 0.4),
        ("tns1:Monitoring/EnvironmentalConditions/Temperature", "Status", "41.5", "hardware/temperature", 41.5),
        ("tns1:RecordingConfig/JobState", "State", "Active", "recording/state", "Active"),
        ("tns1:RecordingConfig/JobState", "State", "ERROR", "recording/state", "Error"),
        ("tns1:RecordingConfig/JobState", "State", "Elsewhere", "recording/state", "unknown"),
        ("tns1:VideoSource/SignalLoss", "State", "perhaps", "video/signal_loss", "unknown"),
        ("tns1:Device/SecurityPolicy/AuthFailed", "SourceIPv4", "192.0.2.7", "device/auth_failures", 1),
    ],
)  # fmt: skip
def test_each_topic_tells_its_signal(topic: str, item: str, value: str, path: str, expected: float | str) -> None:
    assert told(say(topic, value, item=item))[path] == expected


def test_every_topic_of_the_table_has_its_signal_in_the_catalogue() -> None:
    for row in TOPICS:
        path = f"{row.path}1/state" if row.meaning in {Meaning.INPUT, Meaning.RELAY} else row.path
        assert CAMERA.signal(path) is not None, row
        assert find(row.prefix) is row


def test_one_source_of_several_in_trouble_is_trouble() -> None:
    state = CameraState(Memory())
    fan = "Device/HardwareFailure/FanFailure"
    assert (
        told(say(fan, "true", source="a"), say(fan, "false", source="b"), state=state)["hardware/fan_failure"] == "true"
    )
    assert told(say(fan, "false", source="a"), state=state)["hardware/fan_failure"] == "false"
    job = "RecordingConfig/JobState"
    assert told(say(job, "Active", source="a"), say(job, "Idle", source="b"), state=state)["recording/state"] == "Idle"
    assert told(say(job, "Error", source="a"), state=state)["recording/state"] == "Error"


def test_a_source_that_is_deleted_no_longer_counts() -> None:
    state = CameraState(Memory())
    fan = "Device/HardwareFailure/FanFailure"
    told(say(fan, "true", source="a"), say(fan, "false", source="b"), state=state)
    assert told(say(fan, "", source="a", operation="Deleted"), state=state)["hardware/fan_failure"] == "false"


def test_a_source_not_heard_of_in_a_new_round_is_gone_and_other_topics_stay() -> None:
    state = CameraState(Memory())
    fan, lens = "Device/HardwareFailure/FanFailure", "VideoSource/ImageTooBlurry"
    told(say(fan, "true", source="old"), say(lens, "true"), state=state)
    state.begin_round()
    assert told(say(fan, "false", source="new", operation="Initialized"), state=state)["hardware/fan_failure"] == "true"
    ended = values(state.end_round())
    assert ended["hardware/fan_failure"] == "false"
    assert "video/too_blurry" not in ended


def test_a_camera_that_cannot_tell_signal_loss_says_unknown() -> None:
    state = CameraState(Memory())
    state.begin_round()
    assert values(state.end_round())["video/signal_loss"] == "unknown"
    told(say("VideoSource/SignalLoss", "false"), state=state)
    assert "video/signal_loss" not in values(state.end_round())


def test_load_in_percent_is_known_for_good_once_it_was_seen() -> None:
    kept = Memory()
    assert told(say("Monitoring/ProcessorUsage", "1", item="Value"), state=CameraState(kept))["hardware/cpu"] == 1
    told(say("Monitoring/ProcessorUsage", "55", item="Value"), state=CameraState(kept))
    known = memory.read({memory.KEY: kept.write()})
    assert known is not None
    assert told(say("Monitoring/ProcessorUsage", "1", item="Value"), state=CameraState(known))["hardware/cpu"] == 0.01


def test_a_later_start_is_a_restart_and_a_shaken_or_absent_time_is_none() -> None:
    state = CameraState(Memory())
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)

    def start(when: str) -> float | str:
        said = say("Monitoring/OperatingTime/LastReboot", when, item="Status", operation="Initialized")
        return told(said, state=state)["device/reboots"]

    assert start(at.isoformat()) == 0
    assert start((at + timedelta(seconds=3)).isoformat()) == 0
    assert start("0000-00-00T00:00:00Z") == 0
    assert start("1970-01-01T00:00:00Z") == 0
    assert start((at - timedelta(days=1)).isoformat()) == 0
    assert start((at + timedelta(hours=1)).isoformat()) == 1
    assert start((at + timedelta(hours=1)).isoformat()) == 1


def test_the_age_of_the_clocks_synchronisation_is_told_unless_it_never_was() -> None:
    state = CameraState(Memory())
    now_at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    never = say("Monitoring/OperatingTime/LastClockSynchronization", "1970-01-01T00:00:00Z", item="Status")
    told(never, state=state)
    assert state.sync_age(now_at) == []
    told(say("Monitoring/OperatingTime/LastClockSynchronization", "2026-11-22T09:00:00Z", item="Status"), state=state)
    assert values(state.sync_age(now_at)) == {"clock/sync_age": 3600}


def test_inputs_keep_their_numbers_and_there_is_an_end_to_them() -> None:
    kept = Memory()
    told(say("Device/Trigger/DigitalInput", "true", source="door"), state=CameraState(kept))
    seen = told(
        say("Device/Trigger/DigitalInput", "true", source="box"),
        say("Device/Trigger/DigitalInput", "false", source="door"),
        state=CameraState(kept),
    )
    assert seen["io/input1/state"] == "false"
    assert seen["io/input2/state"] == "true"
    many = told(*(say("Device/Trigger/DigitalInput", "1", source=str(n)) for n in range(99)), state=CameraState(kept))
    assert sum(path.startswith("io/input") for path in many) == PARTS_MOST - 2


def test_other_topics_are_events_unless_they_tell_how_things_stood() -> None:
    assert told(say("tnsx:Vendor/Odd", "5", item="Level"))["device/event"] == "tnsx:Vendor/Odd Token=1 Level=5"
    assert "device/event" not in told(say("Device/OperationMode", "x", operation="Initialized"))


def test_events_are_bounded_by_topic_and_in_all_and_what_was_left_out_is_told() -> None:
    texts = EventTexts()
    assert texts.offer("a", "a 1", 0) == "a 1"
    assert texts.offer("a", "a 2", 1) is None
    assert texts.offer("a", "a 3", 2) is None
    assert texts.offer("a", "a 4", TOPIC_PAUSE_S) == "a 4 (+2)"
    told_now = [texts.offer(f"t{number}", "x", TOPIC_PAUSE_S) for number in range(500)]
    assert sum(text is not None for text in told_now) <= BURST
    assert len(texts._told_s) + len(texts._left_out) <= 200


WORDS = st.one_of(
    st.text(max_size=20), st.sampled_from(["true", "0", "Active", "0000-00-00T00:00:00Z", "1e999", "NaN", "-5"])
)
NOTIFICATIONS = st.builds(
    Notification,
    st.one_of(st.sampled_from([row.prefix for row in TOPICS]), st.text(max_size=30).map(normalise)),
    st.sampled_from(["", "Initialized", "Changed", "Deleted", "Odd"]),
    st.dictionaries(WORDS, WORDS, max_size=2),
    st.dictionaries(st.one_of(WORDS, st.sampled_from(["State", "Failed", "Status", "Value"])), WORDS, max_size=2),
)


@given(st.lists(st.one_of(st.none(), st.lists(NOTIFICATIONS, max_size=6)), max_size=12))
def test_whatever_is_said_the_catalogue_allows_what_is_told(rounds: list[list[Notification] | None]) -> None:
    kept = Memory()
    state = CameraState(kept)
    for index, notifications in enumerate(rounds):
        seen = state.end_round() if notifications is None else state.take(notifications, index * 10.0)
        if notifications is None:
            state.begin_round()
        for observation in [*seen, *state.sync_age(datetime(2026, 1, 1, tzinfo=UTC))]:
            signal = CAMERA.signal(observation.path)
            assert signal is not None, observation
            if signal.sort is Sort.STATE:
                assert signal.ordinal(str(observation.value)) is not None, observation
    assert memory.read({memory.KEY: kept.write()}) == kept


def test_sources_without_end_are_left_out() -> None:
    state = CameraState(Memory())
    for number in range(5000):
        told(say("VideoSource/SignalLoss", "true", source=str(number)), state=state)
    assert len(state._sources["video/signal_loss"]) == SOURCES_MOST


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_none(text: str) -> None:
    read_time(text)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"reboots": -1}', '{"inputs": 5}'])
def test_a_memory_that_cannot_be_read_is_none(text: str) -> None:
    assert memory.read({memory.KEY: text}) is None
