"""Debian's snmp tools as a client that is not ours."""

import asyncio
import re

_TIMEOUT_S = 20

_LINE = re.compile(r"^\.(?P<oid>[0-9.]+) = (?P<value>.*?)$", re.DOTALL)


async def run(tool: str, port: int, *arguments: str, community: str = "public", tries: int = 3) -> str:
    """Run a tool; returns what it printed, its errors included."""
    process = await asyncio.create_subprocess_exec(
        tool, "-v2c", f"-c{community}", "-t2", f"-r{tries - 1}", "-On", "-Oe", "-OU", "-Ih", "-m", "",
        f"127.0.0.1:{port}", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return output.decode()


async def get(port: int, *oids: str) -> list[str]:
    """Values of instances, as the tool writes them."""
    lines = (await run("snmpget", port, *(f".{oid}" for oid in oids))).strip().splitlines()
    return [line.partition(" = ")[2].strip() for line in lines]


async def walk(port: int, oid: str, *options: str, tool: str = "snmpwalk") -> dict[str, str]:
    """Instances below an object in the order they came."""
    found = {}
    for line in (await run(tool, port, *options, f".{oid}")).strip().splitlines():
        match = _LINE.match(line)
        if match:
            found[match["oid"]] = match["value"]
    return found
