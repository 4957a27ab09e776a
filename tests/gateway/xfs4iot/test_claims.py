"""Claims: one service speaks for a component, and not another one because it happens to answer first."""

from gateway.drivers.xfs4iot.claims import Claims, Strength


def claims(*, configured: dict[str, str] | None = None, gone: set[str] | None = None) -> Claims:
    return Claims(configured or {}, (gone if gone is not None else set()).__contains__)


def test_among_equals_that_appear_first_the_first_by_name_wins_whoever_is_faster() -> None:
    both = claims()
    assert both.claim("idc", "Reader2", Strength.NAMED)
    assert both.claim("idc", "Reader1", Strength.NAMED)
    assert not both.owns("idc", "Reader2")
    assert not both.claim("idc", "Reader2", Strength.NAMED)


def test_once_settled_a_component_keeps_its_service() -> None:
    settled = claims()
    settled.claim("idc", "Reader2", Strength.NAMED)
    settled.settle()
    assert not settled.claim("idc", "Reader1", Strength.NAMED)
    assert settled.owner("idc") == "Reader2"


def test_a_service_out_of_reach_keeps_its_component_and_one_that_left_loses_it() -> None:
    gone: set[str] = set()
    reader = claims(gone=gone)
    reader.claim("idc", "Reader1", Strength.NAMED)
    reader.settle()
    assert not reader.claim("idc", "Reader2", Strength.NAMED)
    gone.add("Reader1")
    assert reader.claim("idc", "Reader2", Strength.NAMED)


def test_the_stronger_reason_wins() -> None:
    printer = claims()
    printer.claim("prp", "A4", Strength.GUESSED)
    printer.settle()
    assert printer.claim("prp", "Passbook", Strength.NAMED)
    assert printer.claim("prp", "Special", Strength.CONFIGURED)
    assert not printer.claim("prp", "Passbook", Strength.NAMED)


def test_claims_are_kept() -> None:
    first = claims()
    first.claim("idc", "Card Reader 2", Strength.NAMED)
    first.speaker = "Card Reader 2"
    second = claims()
    second.recall({**first.to_keep(), "claim/pin": "broken", "cdm/errors": "1"})
    assert second.owns("idc", "Card Reader 2")
    assert not second.claim("idc", "A", Strength.NAMED)
    assert second.claim("pin", "A", Strength.NAMED)
    assert second.speaker == "Card Reader 2"


def test_settings_name_a_service_in_any_case_and_with_or_without_its_port() -> None:
    named = claims(configured={"cardreader2": "idr", "CardReader2@5847": "nfc"})
    assert named.configured("CardReader2") == "idr"
    assert named.configured("CardReader2@5848") == "idr"
    assert named.configured("CARDREADER2@5847") == "nfc"
    assert named.configured("CardReader1") is None
