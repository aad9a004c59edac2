"""What the commands share: exit codes, errors as one line, settings, services, output.

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | refused, or a check failed: the command ran, and the answer is no |
| 2 | wrong usage: unknown option, missing argument |
| 3 | not ready: settings, database, bundle, engine or an extra is missing or wrong |
| 130 | interrupted |
"""

import errno
import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NoReturn

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text
from typer.core import TyperGroup

from app import settings as app_settings
from app.error_table import row
from app.errors import AppError, BadSettings
from app.settings import Settings
from indexer.errors import IndexerError, WrongCurrency
from models.errors import BundleError, ModelsError


class ExitCode(IntEnum):
    """What a command tells its caller."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_READY = 3


KNOWN_ERRORS = (AppError, IndexerError, ModelsError)
NOT_READY_ERRORS = (BadSettings, BundleError, WrongCurrency)


def exit_code(exc: BaseException) -> ExitCode:
    """What to exit with: the caller's fault is 1, an installation that cannot work is 3."""
    not_ready = isinstance(exc, NOT_READY_ERRORS) or row(exc).status >= 500
    return ExitCode.NOT_READY if not_ready else ExitCode.FAILED


def report(exc: BaseException) -> None:
    """One red line on standard error; further faults of the same request follow it."""
    print_error(str(exc) or type(exc).__name__, row(exc).code)
    for other in getattr(exc, "others", ()):
        place = f"{other.location}: " if other.location else ""
        print_error(f"{place}{other}", row(other).code)


def print_error(message: str, code: str) -> None:
    """`error: message [code]` in red on standard error."""
    line = Text(f"error: {' '.join(message.split())} [{code}]", style="red")
    Console(stderr=True).print(line, soft_wrap=True)


def fail(message: str, code: str, exit_with: ExitCode = ExitCode.FAILED) -> NoReturn:
    """Print the error and leave."""
    print_error(message, code)
    raise typer.Exit(exit_with)


@dataclass(frozen=True, slots=True)
class Group:
    """A command or command group that is imported when it is needed.

    Attributes:
        module: has a `typer.Typer` called `app`.
        help: shown where the module cannot be imported.
        extra: optional dependencies that it needs.
    """

    module: str
    help: str
    extra: str | None = None


def commands(help: str | None = None) -> typer.Typer:
    """For the one command of a module, or with `help` for a group of commands."""
    return typer.Typer(
        help=help,
        no_args_is_help=help is not None,
        add_completion=False,
        # Not the default, which takes every [...] in a help text for a style and leaves it out.
        rich_markup_mode="markdown",
    )


class LazyGroup(TyperGroup):
    """Imports its commands on use, and turns known errors into one line and an exit code."""

    groups: dict[str, Group]

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the table."""
        here = [name for name, group in self.groups.items() if _exists(group.module)]
        return [*here, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; one that says which extra is missing where it cannot be imported."""
        group = self.groups.get(cmd_name)
        if group is None or not _exists(group.module):
            return super().get_command(ctx, cmd_name)
        try:
            command = typer.main.get_command(importlib.import_module(group.module).app)
        except ModuleNotFoundError as exc:
            command = _unavailable(group, exc)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KNOWN_ERRORS as exc:
            report(exc)
            raise typer.Exit(exit_code(exc)) from exc
        except OSError as exc:
            if exc.errno == errno.EPIPE:  # the reader of a pipe has left, which is no error
                raise
            fail(str(exc), "file_error")
        except ModuleNotFoundError as exc:
            group = self.groups.get(ctx.invoked_subcommand or "")
            if group is None or group.extra is None or _is_ours(exc.name or ""):
                raise
            fail(_missing(group, exc), "extra_missing", ExitCode.NOT_READY)


def _exists(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in ("app", "models", "indexer", "migrations")


def _missing(group: Group, exc: ModuleNotFoundError) -> str:
    wanted = f"tillsight[{group.extra}]" if group.extra else "tillsight and all it depends on"
    return f"{exc.name} is not installed; this command needs: pip install '{wanted}'"


def _unavailable(group: Group, exc: ModuleNotFoundError) -> Any:
    """A command that takes anything and says what is missing."""
    if _is_ours(exc.name or ""):
        raise exc
    message = _missing(group, exc)
    stub = commands()

    @stub.command(
        help=group.help,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def unavailable() -> None:
        fail(message, "extra_missing", ExitCode.NOT_READY)

    return typer.main.get_command(stub)


def load_settings(**values: Any) -> Settings:
    """Settings from the environment; `values` win, groups as mappings."""
    return app_settings.load(**values)


def print_json(value: BaseModel | dict[str, Any] | list[Any]) -> None:
    """One JSON value on one line of standard output, for programs."""
    import json

    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    typer.echo(json.dumps(plain, ensure_ascii=False))


def out() -> Console:
    """Standard output, for tables."""
    return Console()


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on standard error; silent where that is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield bar
