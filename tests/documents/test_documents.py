"""What the documents say about the code is true."""

import re
from pathlib import Path

import pytest

from branchwatch.documents import PAGES, main

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]

# `like/this.py`, `like/this/` or `like/this:23`; patterns with < { * are not paths.
_PATH = re.compile(r"`([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*(?:\.(?:py|yaml|md|toml|txt|sh)|/))`")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_written_from_the_code_is_up_to_date(name: str) -> None:
    expected = PAGES[name]()
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == expected, "run python -m branchwatch.documents"


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["settings.md"], 2)])
def test_asking_for_help_or_for_something_else_writes_no_page(
    arguments: list[str],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == status
    said = capsys.readouterr()
    assert "usage: python -m branchwatch.documents" in said.out + said.err
    assert list((tmp_path / "docs").iterdir()) == []


def test_without_arguments_every_page_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    main([])
    assert {path.name for path in (tmp_path / "docs").iterdir()} == set(PAGES)


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_every_path_in_a_document_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = [found for found in _PATH.findall(text) if "/" in found]
    missing = [path for path in named if not (ROOT / path).exists() and path.partition("/")[0] not in {".venv", "data"}]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_every_link_inside_the_project_leads_somewhere(document: Path) -> None:
    links = _LINK.findall(document.read_text(encoding="utf-8"))
    assert not [link for link in links if not (document.parent / link).exists()]


def test_the_architecture_page_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert {room for room in rooms if f"`{room}/`" not in text} == set()


def test_the_glossary_gives_a_chinese_term_for_every_word() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and not line.startswith(("| term", "| ---"))
    ]
    assert len(rows) > 40
    assert [row[0] for row in rows if not re.search(r"[\u4e00-\u9fff]", row[1])] == []
