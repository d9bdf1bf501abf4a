"""The real command line, to check written commands against: do they parse, and do their options exist?"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import typer
from typer.main import get_command

from segpp_deploy.cli.main import _make_app


def parse(arguments: Sequence[str]) -> None:
    """Parse what follows the program's name; nothing runs, and a line that does not fit raises."""
    command, name, rest = _find(arguments)
    try:
        command.make_context(name, rest)
    except typer.Exit:  # what was asked for is printed
        assert {"--help", "--version"} & set(arguments)


@functools.cache
def options_of(*words: str) -> set[str]:
    """Return the options of one command, such as "plugins", "build"; of all commands if none is named."""
    command, _, rest = _find(words)
    assert not rest, f"no such command: {' '.join(words)}"
    return _options(command)


def command_names() -> list[str]:
    """Return the words after which a command is known."""
    return list(_program().commands)


@functools.cache
def _program() -> Any:
    return get_command(_make_app())


def _find(arguments: Sequence[str]) -> tuple[Any, str, list[str]]:
    command, name, rest = _program(), "", list(arguments)
    while rest and rest[0] in getattr(command, "commands", {}):
        name = rest.pop(0)
        command = command.commands[name]
    return command, name, rest


def _options(command: Any) -> set[str]:
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    below = (_options(part) for part in getattr(command, "commands", {}).values())
    return {name for name in own if name.startswith("-")}.union({"--help"}, *below)
