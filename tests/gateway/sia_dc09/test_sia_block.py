from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import DeviceMisbehaved
from gateway.drivers.sia_dc09.sia_block import MOST_CODES, SiaCode, parse_block


@pytest.mark.parametrize(
    ("block", "codes"),
    [
        ("Nri1/BA015", [SiaCode("BA", 15, 1, None)]),
        ("NBA15", [SiaCode("BA", 15, 0, None)]),
        ("BA015", [SiaCode("BA", 15, 0, None)]),
        ("AT00", [SiaCode("AT", 0, 0, None)]),
        ("OP001", [SiaCode("OP", 1, 0, None)]),
        ("NRP", [SiaCode("RP", 0, 0, None)]),
        ("Oti12:30:15/ri2/FA007", [SiaCode("FA", 7, 2, None)]),
        ("Nti12:30/id005/ri03/OP", [SiaCode("OP", 0, 3, 5)]),
        ("Nid5ri3ti12:30CL", [SiaCode("CL", 0, 3, 5)]),
        (
            "Nri1/BA015/BA016/TA017",
            [SiaCode("BA", 15, 1, None), SiaCode("BA", 16, 1, None), SiaCode("TA", 17, 1, None)],
        ),
        ("Nri1/BA015/ri2/BA016", [SiaCode("BA", 15, 1, None), SiaCode("BA", 16, 2, None)]),
        ("Nri1/BA015|AWest door / hall", [SiaCode("BA", 15, 1, None)]),
        ("Nri1/BA015^West/door^/BA016", [SiaCode("BA", 15, 1, None), SiaCode("BA", 16, 1, None)]),
        ("Nri1/BA015^金库^", [SiaCode("BA", 15, 1, None)]),
        ("Nri1^Hall^id5^Li^BA015^Door^", [SiaCode("BA", 15, 1, 5)]),
        ('Nri1BA015*"West door"NM', [SiaCode("BA", 15, 1, None)]),
        ("Nri1/pi007/YC", [SiaCode("YC", 0, 1, None)]),
        ("Nri1/BAxyz", [SiaCode("BA", None, 1, None)]),
        ("AA mere text", []),
        ("ATest of the line", []),
    ],
)
def test_a_block_is_read(block: str, codes: list[SiaCode]) -> None:
    assert list(parse_block(f"#1234|{block}")) == codes
    assert list(parse_block(f"|{block}")) == codes


@pytest.mark.parametrize(
    "block", ["", "BA015", "#1234|", "#1234|N", "#1234|Nri1", "#1234|N015", "#1234|Nri1/BA015 BA016", "#12|NBA015"]
)
def test_what_is_no_sia_block_is_refused(block: str) -> None:
    with pytest.raises(DeviceMisbehaved, match="check the panel's reporting format"):
        parse_block(block)


def test_a_block_has_no_more_codes_than_a_panel_joins() -> None:
    assert len(parse_block("#1234|N" + "/".join(["BA1"] * MOST_CODES))) == MOST_CODES
    with pytest.raises(DeviceMisbehaved):
        parse_block("#1234|N" + "/".join(["BA1"] * (MOST_CODES + 1)))


@given(st.text(max_size=120))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    for block in (text, f"#1234|{text}", f"#1234|N{text}"):
        with suppress(DeviceMisbehaved):
            assert all(len(code.code) == 2 for code in parse_block(block))


@given(
    st.integers(0, 99),
    st.integers(0, 999),
    st.lists(
        st.tuples(st.sampled_from(["BA", "FA", "TA", "AT", "BR", "OP"]), st.integers(0, 999)), min_size=1, max_size=9
    ),
    st.sampled_from(["/", ""]),
)
def test_a_block_as_a_panel_writes_it_is_read_back(
    area: int, user: int, codes: list[tuple[str, int]], after: str
) -> None:
    written = f"#1234|Nri{area:02d}{after}id{user:03d}{after}" + "/".join(
        f"{code}{number:03d}" for code, number in codes
    )
    assert parse_block(written) == tuple(SiaCode(code, number, area, user) for code, number in codes)
