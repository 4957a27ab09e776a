"""A page of instructions as what it asks for: files to write, places to change, commands to run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"\*\*([^*\n]+\.\w+)\*\*")
_LEAVE_RUNNING = "<!-- leave running -->"


@dataclass(frozen=True)
class NewFile:
    path: str
    text: str


@dataclass(frozen=True)
class Change:
    """Lines of a file that become other lines; both begin and end with a line break of their own."""

    path: str
    before: str
    after: str


@dataclass(frozen=True)
class Command:
    text: str
    leave_running: bool


Step = NewFile | Change | Command


def steps(page: str) -> Iterator[Step]:
    """The steps of a page in order.

    A block of Python or YAML after "New file **path**" is that file, one of ``diff`` changes the file named last in bold,
    and one of ``sh`` is to be run. Blocks of ``text`` show something.
    """
    end, path = 0, None
    for block in BLOCK.finditer(page):
        between, language, body = page[end : block.start()], block[1], block[2]
        end = block.end()
        named = _NAMED.findall(between)
        path = named[-1].replace("\\", "") if named else path
        if language == "sh":
            yield Command(body, _LEAVE_RUNNING in between)
        elif language == "diff" and path is not None:
            yield _change(path, body)
        elif language in {"python", "yaml"} and named and "ew file" in between and path is not None:
            yield NewFile(path, body)
        elif language != "text":
            raise ValueError(f"nobody knows what to do with this block of {language}:\n{body[:200]}")


def _change(path: str, body: str) -> Change:
    lines = body.splitlines(keepends=True)
    odd = [line for line in lines if line[0] not in " +-"]
    if odd:
        raise ValueError(f"change of {path}: a line begins with neither blank, + nor -: {odd[0]!r}")
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    if not before:
        raise ValueError(f"change of {path}: nothing says where it belongs")
    return Change(path, before, after)


def write(root: Path, step: NewFile | Change) -> None:
    """Perform a step on the files below ``root``."""
    place = root / step.path
    if isinstance(step, NewFile):
        if place.exists():
            raise ValueError(f"{step.path} is not new")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(step.text, encoding="utf-8")
        return
    text = place.read_text(encoding="utf-8")
    found = _lines_at(text, step.before)
    if len(found) != 1:
        raise ValueError(f"{step.path} has {len(found)} places like this, expected 1; correct the page:\n{step.before}")
    place.write_text(text[: found[0]] + step.after + text[found[0] + len(step.before) :], encoding="utf-8")


def _lines_at(text: str, lines: str) -> list[int]:
    """Where whole lines stand in a text."""
    return [found.start() for found in re.finditer(f"^{re.escape(lines)}", text, re.MULTILINE)]
