"""Settings: where they come from, and what an operator is told when they are wrong."""

from pathlib import Path
from typing import Literal, get_args

import pydantic_core.core_schema
import pytest
from pydantic import Field

from contracts.errors import ConfigurationError
from runtime.settings import BrokerSettings, ProcessSettings, Section, load_settings
from runtime.wording import _WORDS


class Settings(ProcessSettings):
    limit: int = 5


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path | None) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(Settings, path)
    return str(refused.value)


def test_without_a_file_the_defaults_hold() -> None:
    assert load_settings(Settings, None).broker.port == 1883


def test_the_environment_wins_over_the_file_key_by_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "limit: 6\nbroker: {host: broker.example, port: 1884}")
    monkeypatch.setenv("BRANCHWATCH_BROKER__PORT", "1999")
    settings = load_settings(Settings, path)
    assert settings.limit == 6
    assert (settings.broker.host, settings.broker.port) == ("broker.example", 1999)


def test_the_environment_replaces_one_key_of_a_sections_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    class Embedding(ProcessSettings):
        broker: BrokerSettings = BrokerSettings(host="broker.example")

    monkeypatch.setenv("BRANCHWATCH_BROKER__PORT", "1999")
    settings = load_settings(Embedding, None)
    assert (settings.broker.host, settings.broker.port) == ("broker.example", 1999)


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert load_settings(Settings, write(tmp_path, "# nothing yet\n")).limit == 5


def test_every_problem_is_named_with_file_key_value_and_what_is_allowed(tmp_path: Path) -> None:
    path = write(tmp_path, "limit: many\nbroker: {port: 99999, hots: x}\nlog: {level: loud}")
    lines = refusal(path).splitlines()
    assert len(lines) == 4
    assert all(line.startswith(str(path)) for line in lines)
    assert any("limit = 'many': " in line and "expected a whole number" in line for line in lines)
    assert any("broker.port = 99999: " in line and "65535" in line for line in lines)
    assert any("broker.hots" in line and "unknown key" in line for line in lines)
    assert any("log.level = 'loud'" in line and "debug" in line for line in lines)


class Words(Section):
    count: int = 0
    share: float = Field(default=0.5, gt=0, lt=1)
    is_on: bool = True
    name: str = Field(default="name", min_length=2, max_length=4, pattern="^[a-z]+$")
    items: tuple[int, ...] = Field(default=(), max_length=2)
    way: Literal["tcp", "udp"] = "tcp"
    table: dict[str, int] = Field(default={})


class Wordy(ProcessSettings):
    words: Words = Words()
    needed: int


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("words: {}", "needed: missing; it has to be given"),
        ("words: {count: many}", "words.count = 'many': expected a whole number"),
        ("words: {count: 1.5}", "words.count = 1.5: expected a whole number"),
        ("words: {share: much}", "words.share = 'much': expected a number"),
        ("words: {share: 0}", "words.share = 0: expected more than 0"),
        ("words: {share: 1}", "words.share = 1: expected less than 1"),
        ("words: {is_on: perhaps}", "words.is_on = 'perhaps': expected true or false"),
        ("words: {name: 7}", "words.name = 7: expected text; a number"),
        ("words: {name: a}", "words.name = 'a': too short; expected at least 2 characters"),
        ("words: {name: abcde}", "words.name = 'abcde': too long; expected at most 4 characters"),
        ("words: {name: AB}", "words.name = 'AB': expected text that fits the pattern ^[a-z]+$"),
        ("words: {items: 3}", "words.items = 3: expected a list"),
        ("words: {items: [1, 2, 3]}", "words.items: too long; expected at most 2"),
        ("words: {way: smoke}", "words.way = 'smoke': expected 'tcp' or 'udp'"),
        ("words: {table: x}", "words.table = 'x': expected keys with values"),
        ("words: no", "words = False: expected keys with values"),
        ("words: {cuont: 1}", "words.cuont = 1: unknown key; remove it or correct its spelling"),
    ],
)
def test_mistakes_are_said_in_plain_words(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(Wordy, write(tmp_path, text))
    assert said in str(refused.value)
    assert "Input should" not in str(refused.value)


def test_the_words_are_those_of_known_errors() -> None:
    raised_by_pydantic_itself = {"path_type"}
    assert set(_WORDS) <= {*get_args(pydantic_core.core_schema.ErrorType), *raised_by_pydantic_itself}


def test_a_bad_environment_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRANCHWATCH_LIMIT", "many")
    assert refusal(None).startswith("environment: BRANCHWATCH_LIMIT = 'many': ")


def test_a_bad_environment_variable_is_not_blamed_on_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRANCHWATCH_BROKER__PORT", "abc")
    assert refusal(write(tmp_path, "limit: 1")).startswith("environment: BRANCHWATCH_BROKER__PORT = 'abc': ")


def test_an_unknown_environment_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRANCHWATCH_BROKER_PORT", "1884")
    assert "BRANCHWATCH_BROKER_PORT: unknown; those known begin with BRANCHWATCH_DATA_DIR" in refusal(None)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    assert "key 'limit' stands twice" in refusal(write(tmp_path, "limit: 1\nlimit: 2\n"))


@pytest.mark.parametrize(
    ("text", "said"), [("- a\n- b", "expected keys with values"), ("a: [1", "not YAML"), ("1: 2", "expected keys")]
)
def test_a_file_that_is_not_settings_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "nowhere.yaml: cannot be read: No such file" in refusal(tmp_path / "nowhere.yaml")


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    said = refusal(write(tmp_path, "broker: {password: 90210}\nops: {url: 'x://user:hunter2@host'}"))
    assert "broker.password = (not shown): " in said
    assert "90210" not in said
    assert "hunter2" not in said
    settings = load_settings(Settings, write(tmp_path, "broker: {password: hunter2}"))
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    "line",
    ['password: "hunter-2', "password: [hunter-2", "password: *hunter-2", "password: !hunter-2 x", "password: hunter-2: 3",
     "password: @hunter-2", "password: hunter-2\x07", "password: &a hunter-2\nlimit: *hunter-2"],
)  # fmt: skip
def test_a_broken_file_is_named_with_the_line_and_without_a_word_of_it(line: str, tmp_path: Path) -> None:
    said = refusal(write(tmp_path, f"limit: 1\n{line}\n"))
    assert "not YAML" in said
    assert "hunter" not in said
    assert "line " in said or "character" in said
