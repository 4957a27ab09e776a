"""What a session description says of the video track. Pure.

Source: RFC 4566 (SDP) section 5, RFC 2326 appendix C.1 (``a=control``).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """Where the video of a presentation is controlled.

    Attributes:
        track_url: URL for SETUP.
        session_url: URL for PLAY and TEARDOWN.
    """

    track_url: str
    session_url: str


def find_video(description: bytes, base_url: str) -> VideoTrack | None:
    """The first video track; ``None`` where the presentation has none.

    Args:
        description: the body of the answer to DESCRIBE.
        base_url: its ``Content-Base``, or the URL that was described.
    """
    session_control = ""
    video_control: str | None = None
    in_session, in_video = True, False
    for line in description.decode("utf-8", errors="replace").splitlines():
        if line.startswith("m="):
            if video_control is not None:
                break
            in_session = False
            in_video = line.startswith("m=video ")
            if in_video:
                video_control = ""
        elif line.startswith("a=control:"):
            control = line.removeprefix("a=control:").strip()
            if in_session:
                session_control = control
            elif in_video and not video_control:
                video_control = control
    if video_control is None:
        return None
    session_url = _join(base_url, session_control)
    return VideoTrack(_join(session_url if "://" in session_control else base_url, video_control), session_url)


def _join(base_url: str, control: str) -> str:
    if control in {"", "*"}:
        return base_url
    if "://" in control:
        return control
    return base_url.rstrip("/") + "/" + control.lstrip("/")
