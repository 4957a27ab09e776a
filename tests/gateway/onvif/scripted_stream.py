"""An RTSP server that answers what the test has put down."""

import asyncio
import hashlib
import re
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

DESCRIPTION = b"v=0\r\ns=-\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=control:trackID=1\r\n"


class ScriptedStream:
    """What it answers can be changed while it runs."""

    def __init__(self) -> None:
        self.password: str | None = None
        self.status: dict[str, int] = {}
        self.description = DESCRIPTION
        self.instead: bytes | None = None
        self.numbers: list[int] = list(range(65_500, 65_600))
        self.closes_after: str | None = None
        self.is_silent = False
        self.new_nonce_each_time = False
        self.extra = b""
        self.asked: list[str] = []
        self.wrong_logins = 0
        self.open_sessions = 0
        self._nonces = 0

    def count(self, method: str) -> int:
        return self.asked.count(method)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    writer.write(self._answer(head))
                    await writer.drain()
                    if self.asked[-1] == self.closes_after:
                        break
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _answer(self, head: str) -> bytes:
        method, url, _ = head.split(" ", 2)
        self.asked.append(method)
        fields = dict(line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
        if self.is_silent:
            return b""
        if self.instead is not None:
            return self.instead
        status = self.status.get(method, 200)
        headers = [f"CSeq: {fields['CSeq']}"]
        body = b""
        if status == 200 and self.password is not None and method != "OPTIONS":
            status = 200 if self._is_authorized(method, url, fields.get("Authorization", "")) else 401
        if status == 401:
            headers.append(f'WWW-Authenticate: Digest realm="cam", nonce="n{self._nonces}", qop="auth"')
        elif status == 200 and method == "DESCRIBE":
            body = self.description
            headers += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif status == 200 and method == "SETUP":
            self.open_sessions += 1
            headers += ["Session: 1234;timeout=60", f"Transport: {fields['Transport']}"]
        elif status == 200 and method == "TEARDOWN":
            self.open_sessions -= 1
        elif status == 200 and method == "PLAY":
            body = (
                b"".join(
                    b"$\x00" + struct.pack("!HBBHII", 112, 0x80, 96, number % 65_536, 0, 7) + bytes(100)
                    for number in self.numbers
                )
                + self.extra
            )
        lines = [f"RTSP/1.0 {status} X", *headers, "", ""]
        return "\r\n".join(lines).encode() + body

    def _is_authorized(self, method: str, url: str, given: str) -> bool:
        if not given:
            self._nonces += 1
            return False
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', given))
        if fields["nonce"] != f"n{self._nonces}":
            return False
        ha1 = hashlib.md5(f"viewer:cam:{self.password}".encode()).hexdigest()
        ha2 = hashlib.md5(f"{method}:{url}".encode()).hexdigest()
        expected = hashlib.md5(
            f"{ha1}:{fields['nonce']}:{fields['nc']}:{fields['cnonce']}:auth:{ha2}".encode()
        ).hexdigest()
        if fields["response"] != expected or fields["uri"] != url:
            self.wrong_logins += 1
            self._nonces += 1
            return False
        if self.new_nonce_each_time:
            self._nonces += 1
        return True


@asynccontextmanager
async def streaming(stream: ScriptedStream, port: int) -> AsyncIterator[None]:
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(stream.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await server.wait_closed()
