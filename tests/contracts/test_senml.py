"""SenML against RFC 8428's own examples, and everything that has to be refused with a record and a reason."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import senml
from contracts.errors import ContractViolation, RefusalCode
from contracts.senml import Record, decode, encode, encode_fragment, resolve

NOW_S = 1_320_000_000.0


def read(text: str, now_s: float | None = NOW_S) -> list[senml.Resolved]:
    return resolve(decode(text.encode()), now_s)


def rows(text: str, now_s: float | None = NOW_S) -> list[tuple[object, ...]]:
    return [(record.name, record.unit, record.value, round(record.time_s, 3)) for record in read(text, now_s)]


# Examples of RFC 8428, section 5.1.


def test_rfc_single_data_point() -> None:
    assert rows('[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]') == [
        ("urn:dev:ow:10e2073a01080063", "Cel", 23.1, NOW_S)
    ]


def test_rfc_two_data_points_share_a_base_name() -> None:
    assert rows(
        '[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},{"n":"current","u":"A","v":1.2}]'
    ) == [
        ("urn:dev:ow:10e2073a01080063:voltage", "V", 120.1, NOW_S),
        ("urn:dev:ow:10e2073a01080063:current", "A", 1.2, NOW_S),
    ]


RFC_SERIES = """[
  {"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
  {"n":"current","t":-5,"v":1.2}, {"n":"current","t":-4,"v":1.3}, {"n":"current","t":-3,"v":1.4},
  {"n":"current","t":-2,"v":1.5}, {"n":"current","t":-1,"v":1.6}, {"n":"current","v":1.7}]"""


def test_rfc_series_with_base_time_and_base_unit() -> None:
    name = "urn:dev:ow:10e2073a0108006:current"
    expected: list[tuple[object, ...]] = [("urn:dev:ow:10e2073a0108006:voltage", "V", 120.1, 1276020076.001)]
    expected += [(name, "A", value, 1276020076.001 + t) for t, value in enumerate((1.2, 1.3, 1.4, 1.5, 1.6, 1.7), -5)]
    assert rows(RFC_SERIES, now_s=None) == expected


def test_rfc_measurements_at_absolute_times_with_a_base_name_alone() -> None:
    got = rows(
        """[{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},
            {"u":"lon","v":24.30621},{"u":"lat","v":60.07965},{"t":60,"v":20.3},{"u":"%EL","t":150,"v":98}]""",
        now_s=None,
    )
    assert got[0] == ("urn:dev:ow:10e2073a01080063", "%RH", 20.0, 1320067464.0)
    assert got[3] == ("urn:dev:ow:10e2073a01080063", "%RH", 20.3, 1320067524.0)
    assert got[4][1] == "%EL"


def test_rfc_values_of_every_type() -> None:
    got = read(
        """[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},{"n":"label","vs":"Machine Room"},
            {"n":"open","vb":false},{"n":"nfc-reader","vd":"aGkgCg"}]"""
    )
    assert [record.value for record in got] == [23.1, "Machine Room", False, b"hi \n"]


def test_rfc_sum_stands_without_a_value() -> None:
    (record,) = read('[{"n":"urn:dev:mac:0024befffe804ff1/energy","bt":1.4e9,"s":12.5}]')
    assert (record.value, record.sum) == (None, 12.5)


def test_rfc_resources_of_several_devices_in_one_pack() -> None:
    got = rows(
        """[{"bn":"2001:db8::2/","bt":1.320078429e+09,"n":"temperature","u":"Cel","v":25.2},
            {"n":"humidity","u":"%RH","v":30},
            {"bn":"2001:db8::1/","n":"temperature","u":"Cel","v":12.3}, {"n":"humidity","u":"%RH","v":67}]""",
        now_s=None,
    )
    assert [(name, unit, value) for name, unit, value, _ in got] == [
        ("2001:db8::2/temperature", "Cel", 25.2),
        ("2001:db8::2/humidity", "%RH", 30.0),
        ("2001:db8::1/temperature", "Cel", 12.3),
        ("2001:db8::1/humidity", "%RH", 67.0),
    ]
    assert {time_s for *_, time_s in got} == {1320078429.0}


def test_rfc_a_record_with_base_fields_alone_names_those_after_it() -> None:
    got = rows(
        """[{"bn":"urn:dev:ow:10e2073a01080063:"}, {"n":"temp","u":"Cel","v":23.1},
            {"n":"heat","u":"/","v":1}, {"n":"fan","u":"/","v":0}]"""
    )
    assert [(name, value) for name, _, value, _ in got] == [
        ("urn:dev:ow:10e2073a01080063:temp", 23.1),
        ("urn:dev:ow:10e2073a01080063:heat", 1.0),
        ("urn:dev:ow:10e2073a01080063:fan", 0.0),
    ]


def test_base_value_and_base_sum_are_added() -> None:
    first, second = read('[{"bn":"a:","bt":1.4e9,"bv":20,"bs":100,"n":"x","v":0.5,"s":1},{"n":"y","v":1,"s":2}]')
    assert (first.value, first.sum) == (20.5, 101.0)
    assert (second.value, second.sum) == (21.0, 102.0)


def test_labels_nobody_knows_are_ignored() -> None:
    assert rows('[{"n":"a","v":1,"vendor":{"deep":[1]},"trailing_under":"x_"}]') == [("a", None, 1.0, NOW_S)]


@pytest.mark.parametrize(
    ("text", "code", "record"),
    [
        ("", RefusalCode.NOT_JSON, None),
        ("not json", RefusalCode.NOT_JSON, None),
        ('[{"n":"a","v":1}', RefusalCode.NOT_JSON, None),
        ('[{"n":"a","v":NaN}]', RefusalCode.NOT_JSON, None),
        ('{"n":"a","v":1}', RefusalCode.NOT_AN_ARRAY, None),
        ("[]", RefusalCode.EMPTY_PACK, None),
        ("[{}]", RefusalCode.BAD_NAME, 0),
        ('[{"n":"a","v":1},17]', RefusalCode.MALFORMED_RECORD, None),
        ('[{"n":"a","v":"1"}]', RefusalCode.MALFORMED_RECORD, None),
        ('[{"n":"a","v":1,"t":"now"}]', RefusalCode.MALFORMED_RECORD, None),
        ('[{"n":"a","v":1},{"n":"b","v":1,"fancy_":true}]', RefusalCode.UNKNOWN_LABEL, 1),
        ('[{"bver":11,"n":"a","v":1}]', RefusalCode.UNSUPPORTED_VERSION, 0),
        ('[{"n":"a","v":1},{"v":1}]', RefusalCode.BAD_NAME, 1),
        ('[{"n":"-a","v":1}]', RefusalCode.BAD_NAME, 0),
        ('[{"n":"a b","v":1}]', RefusalCode.BAD_NAME, 0),
        ('[{"n":"a","v":1,"vs":"x"}]', RefusalCode.VALUE_COUNT, 0),
        ('[{"n":"a","v":1},{"n":"b"}]', RefusalCode.VALUE_COUNT, 1),
        ('[{"n":"a","vd":"*"}]', RefusalCode.BAD_VALUE, 0),
        ('[{"n":"a","v":1,"t":1e300}]', RefusalCode.BAD_TIME, 0),
    ],
)
def test_malformed_packs_are_refused_with_the_record_and_the_reason(
    text: str, code: RefusalCode, record: int | None
) -> None:
    with pytest.raises(ContractViolation) as refused:
        read(text)
    assert refused.value.refusal is code
    if record is not None:
        assert refused.value.record == record
    assert len(str(refused.value)) > len(code)


def test_a_time_relative_to_now_is_refused_where_there_is_no_now() -> None:
    with pytest.raises(ContractViolation, match=r"record 1: time -5\.0 is relative to now"):
        read('[{"n":"a","v":1,"t":1.4e9},{"n":"b","v":1,"t":-5}]', now_s=None)


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9\-:./_]{0,20}", fullmatch=True)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(
    st.lists(
        st.builds(
            Record,
            n=NAMES,
            u=st.none() | st.sampled_from(["V", "count", "/"]),
            v=NUMBERS,
            t=st.floats(1.0e9, 2.0e9),
            ut=st.none() | st.floats(0, 1e6),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_what_is_encoded_reads_back_the_same(records: list[Record]) -> None:
    got = resolve(decode(encode(records)))
    assert [(r.name, r.unit, r.value, r.time_s, r.update_s) for r in got] == [
        (r.n, r.u, r.v, r.t, r.ut) for r in records
    ]


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_and_nothing_else_happens(payload: bytes) -> None:
    with pytest.raises(ContractViolation):
        resolve(decode(payload), NOW_S)


@given(
    st.recursive(
        st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["n", "bn", "v", "vs", "t", "bt", "x_"]), inner)
        ),
        max_leaves=20,
    )
)
def test_any_json_is_read_or_refused(document: object) -> None:
    try:
        got = resolve(decode(json.dumps(document).encode()), NOW_S)
    except ContractViolation:
        return
    assert all(math.isfinite(record.time_s) for record in got)


def test_fragments_join_into_one_pack() -> None:
    one = encode_fragment([Record(bn="a/", bt=1.4e9, n="x", v=1)])
    two = encode_fragment([Record(bn="b/", bt=1.5e9, n="y", vs="open")])
    got = resolve(decode(b"[" + one + b"," + two + b"]"))
    assert [(r.name, r.value, r.time_s) for r in got] == [("a/x", 1.0, 1.4e9), ("b/y", "open", 1.5e9)]
