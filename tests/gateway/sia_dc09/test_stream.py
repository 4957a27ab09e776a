from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.sia_dc09.stream import MAX_FRAME_BYTES, Junk, StreamSplitter
from tests.gateway.sia_dc09.test_frame import BURGLARY, GOOD_FRAMES, NULL, bare


def frames_of(found: list[bytes | Junk]) -> list[bytes]:
    return [piece for piece in found if isinstance(piece, bytes)]


def test_several_frames_in_one_read_are_all_found() -> None:
    assert StreamSplitter().feed(b"".join(GOOD_FRAMES)) == [bare(frame) for frame in GOOD_FRAMES]


@given(st.lists(st.sampled_from(GOOD_FRAMES), max_size=8), st.data())
def test_however_a_stream_is_cut_the_same_frames_are_found(frames: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frames)
    splitter = StreamSplitter()
    found: list[bytes | Junk] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found.extend(splitter.feed(stream[:size]))
        stream = stream[size:]
    assert found == [bare(frame) for frame in frames]
    assert splitter.end() is None


@given(st.lists(st.binary(max_size=3000), max_size=6))
def test_memory_stays_bounded_and_a_good_frame_after_noise_is_found(noise: list[bytes]) -> None:
    splitter = StreamSplitter()
    for chunk in noise:
        splitter.feed(chunk)
        assert len(splitter._partial) <= MAX_FRAME_BYTES
    assert frames_of(splitter.feed(BURGLARY))[-1] == bare(BURGLARY)


def test_bytes_before_a_frame_are_skipped_and_told_once() -> None:
    splitter = StreamSplitter()
    found = splitter.feed(b"\x16\x03\x01") + splitter.feed(b"more") + splitter.feed(b"!" + NULL)
    assert found == [Junk(b"\x16\x03\x01", "bytes outside a frame"), bare(NULL)]


def test_line_ends_between_frames_are_no_flaw() -> None:
    assert StreamSplitter().feed(b"\r\n" + NULL + b"\n\r\n" + NULL) == [bare(NULL), bare(NULL)]


def test_a_frame_that_begins_inside_another_wins() -> None:
    found = StreamSplitter().feed(b'\n70B80027"ADM-C' + NULL)
    assert [type(piece) for piece in found] == [Junk, bytes]
    assert found[1] == bare(NULL)


def test_an_endless_frame_is_dropped_at_its_bound() -> None:
    splitter = StreamSplitter()
    found = splitter.feed(b"\n" + b"A" * (MAX_FRAME_BYTES + 1))
    assert [type(piece) for piece in found] == [Junk]
    assert splitter._partial == b""
    assert splitter.feed(b"A" * 5000) == []
    assert splitter.feed(NULL) == [bare(NULL)]


def test_a_frame_of_exactly_the_bound_is_found() -> None:
    assert StreamSplitter().feed(b"\n" + b"A" * MAX_FRAME_BYTES + b"\r") == [b"A" * MAX_FRAME_BYTES]


def test_half_a_frame_at_the_end_is_told() -> None:
    splitter = StreamSplitter()
    assert splitter.feed(BURGLARY[:20]) == []
    assert splitter.end() == Junk(BURGLARY[1:20], "the connection ended inside a frame")
