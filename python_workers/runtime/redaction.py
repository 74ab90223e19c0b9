"""Removes everything that could be a secret from commands and addresses that others may read.

The module imports only the standard library: a signal may arrive while imports still run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePath

HIDDEN = "…"

# An address up to its host and port; user info before the host, path and query behind it.
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(?:[^\s/?#]*@)?([^\s/?#@]*)(\S*)")
_SECRET_OPTIONS = ("--hook",)
_INTERPRETER = re.compile(r"python[\d.]*$")


def plain_address(address: str) -> str:
    """Return only the scheme and host of an address: the rest may hold a password or a token.

    Examples
    --------
    >>> plain_address("https://me:password@chat.example:8443/hook/T0/secret?token=1")
    'https://chat.example:8443/…'
    >>> plain_address("https://chat.example")
    'https://chat.example'
    """
    return _ADDRESS.sub(
        lambda found: f"{found[1]}{found[2]}{'/' + HIDDEN if found[3] else ''}", address
    )


def plain_hook(hook: str) -> str:
    """Return the part of a hook that may be shown: the host of an address or a command's program.

    Examples
    --------
    >>> plain_hook("curl -H 'Authorization: Bearer secret' https://chat.example/T0")
    'curl …'
    >>> plain_hook("https://chat.example/T0/secret")
    'https://chat.example/…'
    """
    if "://" in hook.partition(" ")[0]:
        return plain_address(hook.partition(" ")[0])
    program, _, arguments = hook.strip().partition(" ")
    return f"{program} {HIDDEN}" if arguments else program


def plain_command(arguments: Sequence[str]) -> str:
    """Return the command line of a ``backcourt`` command with its hook and addresses shortened.

    Parameters
    ----------
    arguments
        The arguments after ``backcourt``.

    Examples
    --------
    >>> plain_command(["daily", "--date", "2022-01-15", "--hook", "https://chat.example/secret"])
    "backcourt daily --date 2022-01-15 --hook 'https://chat.example/…'"
    """
    shown = ["backcourt"]
    is_secret = False
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if is_secret:
            shown.append(plain_hook(argument))
        elif equals and option in _SECRET_OPTIONS:
            shown.append(f"{option}={plain_hook(value)}")
        else:
            shown.append(plain_address(argument))
        is_secret = not is_secret and argument in _SECRET_OPTIONS
    return shlex.join(shown)


def plain_process(command: Sequence[str]) -> str:
    """Describe a process by its command line.

    For this project's own commands, show all but the secrets. For others, show only the program,
    since any of their arguments may be a password.

    Examples
    --------
    >>> plain_process(["/usr/bin/python3", "/venv/bin/backcourt", "plan", "--all"])
    'backcourt plan --all'
    >>> plain_process(["/usr/bin/python3", "-m", "pytest", "--token=secret"])
    'python3 -m pytest'
    >>> plain_process(["/usr/bin/duckdb", "-c", "create secret (...)"])
    'duckdb'
    """
    if not command:
        return ""
    program, rest = PurePath(command[0]).name, list(command[1:])
    if _INTERPRETER.match(program):
        if rest[:1] == ["-m"] and len(rest) > 1:
            program, rest = f"{program} -m {rest[1]}", rest[2:]
        elif rest and not rest[0].startswith("-"):
            program, rest = PurePath(rest[0]).name, rest[1:]
    if program == "backcourt" or program.endswith(" -m python_workers"):
        return plain_command(rest)
    return program
