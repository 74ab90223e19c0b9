"""The ``backcourt`` command: its subcommands, and how it ends."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer

from python_workers import __version__
from python_workers.cli.commands import NO_MARKUP, CommandGroup
from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.redaction import plain_address
from python_workers.runtime.signals import exit_code, how_to_go_on, received
from python_workers.runtime.streams import OutputError, give_output_up
from python_workers.warehouse.job_labels import labelling

# typer brings its own copy of click and exports only the leaves of its exceptions.
UsageError: Any = typer.BadParameter.__base__

HELP = """Backfills NBA feature tables, and proves that no player-date is missing.

\b
The three commands most people need, in order:
  backcourt load DIR            load raw files into the warehouse
  backcourt backfill --all      compute and test every feature of every date
  backcourt coverage --all      show who has a row, who has none, and why
"""


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"backcourt {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_tell_version, is_eager=True),
    ] = False,
) -> None:
    """Declare the options of the command itself."""


_declared = typer.Typer(**NO_MARKUP)
_declared.callback()(_options)

app = CommandGroup(
    help=HELP,
    params=typer.main.get_group(_declared).params,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given
    plain = [argument for argument in given if argument != "--debug"]
    sys.exit(_outcome(lambda: _invoke(plain), plain, debug=debug))


def _refuse_empty(arguments: Sequence[str]) -> None:
    """Refuse an empty argument: as a path it would be the working directory.

    Raises
    ------
    BackcourtError
        With exit code 2; it names the argument or option.
    """
    for before, given in zip(("", *arguments), arguments, strict=False):
        option = before if given == "" and before.startswith("--") else given.removesuffix("=")
        if given == "" or (given.startswith("--") and given.endswith("=") and "=" not in option):
            raise BackcourtError(
                f"the value of {option} is empty" if option else "an argument is empty",
                "Give a value: a variable of the shell may not be set.",
                ExitCode.USAGE,
            )


def _invoke(arguments: list[str]) -> int:
    _refuse_empty(arguments)
    with labelling(stage=next(iter(arguments), "")):
        result = app.main(arguments, prog_name="backcourt", standalone_mode=False)
    return int(result or 0)


def _outcome(run: Callable[[], int], arguments: list[str], *, debug: bool) -> int:
    """Turn every end of a command into a message and an exit code, never a stack trace."""
    try:
        code = run()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 -- a stack trace is for --debug
        # After a signal, every exception counts as an interruption.
        if not (received() or isinstance(error, KeyboardInterrupt | typer.Abort)):
            return _failure(error, debug=debug, as_json=logs_json(arguments))
        if debug:
            traceback.print_exc()
        code = ExitCode.INTERRUPTED
    if code != ExitCode.INTERRUPTED:  # typer returns this code for a Ctrl-C, too
        return code
    message, *hint = how_to_go_on(arguments).splitlines()
    from python_workers.cli.console import JsonReporter, err  # noqa: PLC0415 -- rich: slow to import

    with suppress(OutputError):
        if logs_json(arguments):
            JsonReporter().event(
                "interrupted",
                message=message,
                hint=[line.strip() for line in hint],
                exit_code=exit_code(),
                severity="WARNING",
            )
        else:
            err.print("\n".join([message, *hint]))
    return exit_code()


def logs_json(arguments: Sequence[str]) -> bool:
    """Tell whether a command line asks for a JSON log, even if the rest of it is wrong.

    Examples
    --------
    >>> logs_json(["backfill", "--log-format", "json", "--al"]), logs_json(["plan", "--all"])
    (True, False)
    """
    before = ("", *arguments)
    return any(
        given.endswith("=json") if given.startswith("--log-format=") else given == "json"
        for option, given in zip(before, arguments, strict=False)
        if option == "--log-format" or given.startswith("--log-format=")
    )


def _failure(error: BaseException, *, debug: bool, as_json: bool) -> int:
    match error:
        case BackcourtError():
            said = error
        case typer.Exit():
            return int(error.exit_code)
        case OutputError():
            return _output_failure(error.cause, debug=debug)
        case OSError(errno=errno.EPIPE) | OSError(errno=errno.ENOSPC, filename=None):
            return _output_failure(error, debug=debug)  # of typer's own help texts
        case OSError(filename=str() | bytes() as name, strerror=str() as reason):
            said = BackcourtError(
                f"{os.fsdecode(name)}: {reason}",
                "Check this file, its folder and the disk, and run the same command again.",
                ExitCode.ENVIRONMENT,
            )
        case _ if type(error).__name__ == "NoArgsIsHelpError":
            # A bare `backcourt`: typer's message is the help text itself.
            typer.echo(str(getattr(error, "message", "")))
            return ExitCode.USAGE
        case _ if isinstance(error, UsageError):
            context = getattr(error, "ctx", None)
            hint = f"See: {context.command_path} --help" if context else "See: backcourt --help"
            said = BackcourtError(plain_address(error.format_message()), hint, ExitCode.USAGE)
        case _:
            said = _altered_table_error() or BackcourtError(
                f"{type(error).__name__}: {error}",
                "This is a bug in Backcourt. The same command with --debug shows where.",
            )
    return _say(said, debug=debug, as_json=as_json)


def _altered_table_error() -> BackcourtError | None:
    """Return the error for a table of the warehouse that somebody has altered, if there is one."""
    # These imports are slow, and only a failure needs them.
    from python_workers.accounting.stored_columns import altered_table_error  # noqa: PLC0415
    from python_workers.settings import load_settings  # noqa: PLC0415
    from python_workers.warehouse.open import open_warehouse  # noqa: PLC0415

    with suppress(Exception), open_warehouse(load_settings(), read_only=True) as warehouse:
        return altered_table_error(warehouse)
    return None


def _output_failure(cause: OSError, *, debug: bool) -> int:
    """End like other Unix commands: quietly if the reader, such as ``head``, has exited."""
    give_output_up()
    if isinstance(cause, BrokenPipeError):
        return 128 + signal.SIGPIPE
    failed = BackcourtError(
        f"cannot write to standard output: {cause.strerror or cause}",
        "All earlier commits are kept: run the same command again.",
        ExitCode.ENVIRONMENT,
    )
    return _say(failed, debug=debug, as_json=False)


def _say(error: BackcourtError, *, debug: bool, as_json: bool) -> int:
    if debug:
        traceback.print_exc()
    from python_workers.cli.console import JsonReporter, err  # noqa: PLC0415 -- rich: slow to import

    with suppress(OutputError):
        if as_json:
            JsonReporter().event(
                "error",
                message=error.message,
                hint=error.hint,
                exit_code=error.exit_code,
                severity="ERROR",
            )
        else:
            err.print(error.render())
    return error.exit_code


if __name__ == "__main__":
    main()
