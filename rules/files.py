"""Rule files: YAML read into rules, every error with file, line, rule, key, value and what is allowed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.errors import ConfigurationError
from rules.cases import Case
from rules.rule import Rule, problems

DEFAULT_CATALOGUE: Final = Path(__file__).parent / "catalogue"
"""The rules that come with Branchwatch."""


class RuleWithCases(Rule):
    """A rule as its file has it, with the cases that prove it."""

    cases: tuple[Case, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[RuleWithCases, ...] = Field(min_length=1)


def load_rules(directory: Path | None = None) -> list[RuleWithCases]:
    """Read all ``*.yaml`` files of a directory, in the order of their names.

    Args:
        directory: where; ``None`` for the default catalogue.

    Raises:
        ConfigurationError: every problem of every file, one a line.
    """
    folder = directory or DEFAULT_CATALOGUE
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise ConfigurationError(f"{folder}: no rule files; expected at least one *.yaml")
    rules: list[RuleWithCases] = []
    complaints: list[str] = []
    origin: dict[str, Path] = {}
    for path in files:
        loaded, wrong = _read(path)
        complaints += wrong
        for rule in loaded:
            if rule.id in origin:
                complaints.append(f"{path}: rule {rule.id}: id = {rule.id!r}: {origin[rule.id]} has a rule of this id")
            origin.setdefault(rule.id, path)
        rules += loaded
    if complaints:
        raise ConfigurationError("\n".join(complaints))
    return rules


def _read(path: Path) -> tuple[Sequence[RuleWithCases], list[str]]:
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        content = _construct(node)
    except OSError as error:
        return (), [f"{path}: cannot be read: {error.strerror}"]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        return (), [f"{path}:{line}: not YAML: {error.problem}"]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return (), [f"{path}: not YAML: {error}"]
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        found = [(_without_tag(problem["loc"]), problem) for problem in error.errors(include_url=False)]
        return (), [
            _describe(path, node, content, where, problem)
            for where, problem in found
            if not (problem["type"] == "too_short" and any(_is_inside(inner, where) for inner, _ in found))
        ]
    complaints = [
        _complaint(path, node, content, ("rules", index, *problem.key), problem.value, f"expected {problem.allowed}")
        for index, rule in enumerate(file.rules)
        for problem in problems(rule)
    ]
    return file.rules, complaints


def _construct(node: yaml.Node | None) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _without_tag(where: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The way to a problem without the clause's kind, which pydantic puts after the clause's index."""
    return where[:4] + where[5:] if len(where) > 4 and where[2] == "when" else where


def _is_inside(inner: tuple[str | int, ...], outer: tuple[str | int, ...]) -> bool:
    """Whether a problem lies inside another one; pydantic then counts the outer list without it."""
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _describe(path: Path, node: yaml.Node | None, content: Any, where: tuple[str | int, ...], problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        hint = "unknown key; remove it or correct its spelling"
    else:
        hint = problem["msg"].removeprefix("Value error, ")
    return _complaint(path, node, content, where, problem["input"], hint)


def _complaint(
    path: Path, node: yaml.Node | None, content: Any, where: Sequence[str | int], value: Any, hint: str
) -> str:
    """One line: file, line, rule, key, value, what is allowed."""
    line, keys = _locate(node, where)
    rule = ""
    if len(where) >= 2 and where[0] == "rules" and isinstance(where[1], int):
        entry = content["rules"][where[1]] if isinstance(content, dict) else None
        name = entry.get("id") if isinstance(entry, dict) else None
        rule = f"rule {name or where[1]}: "
        keys = keys[2:]
    key = ".".join(str(part) for part in keys) or "(whole entry)"
    shown = "" if isinstance(value, (dict, list)) else f" = {value!r}"
    return f"{path}:{line}: {rule}{key}{shown}: {hint}"


def _locate(node: yaml.Node | None, where: Sequence[str | int]) -> tuple[int, list[str | int]]:
    """Line of the deepest node on the way, and the way without pydantic's own steps (the names of union members)."""
    line = 1 if node is None else node.start_mark.line + 1
    keys: list[str | int] = []
    for part in where:
        below: yaml.Node | None = None
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            below = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    below, line = value, key.start_mark.line + 1
        else:
            continue
        if below is None:
            if isinstance(node, yaml.MappingNode) and part == where[-1]:
                keys.append(part)  # a missing key: the line is its owner's
            continue
        if isinstance(node, yaml.SequenceNode):
            line = below.start_mark.line + 1
        node = below
        keys.append(part)
    return line, keys
