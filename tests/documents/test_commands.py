"""Every command of ours on any page exists, with the options it is shown with."""

import re
import shlex
from pathlib import Path
from typing import Final

import click
import pytest

from branchwatch.command_line import commands
from tests.documents.page import BLOCK

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def shell(page: Path) -> list[str]:
    return [
        line
        for language, body in BLOCK.findall(page.read_text(encoding="utf-8"))
        if language == "sh"
        for line in body.splitlines()
    ]


OURS: Final = [
    pytest.param(line, id=f"{page.name}: {line[:60]}")
    for page in PAGES
    for line in shell(page)
    if line.startswith(".venv/bin/branchwatch ")
]


@pytest.mark.parametrize("line", OURS)
def test_a_command_of_a_page_exists_with_its_options(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command: click.Command = commands
    context: click.Context | None = None
    while isinstance(command, click.Group):
        context = command.make_context(command.name, list(words), parent=context)
        _, found, words = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command = found
    assert command.make_context(command.name, list(words), parent=context).params is not None


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "protocols").glob("*.md")), ids=lambda page: page.name)
def test_the_page_of_a_protocol_says_how_to_try_it_without_hardware_by_commands(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = re.search(r"^## Try it without hardware.*?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    assert "```sh\n" in found[1]
