"""Commands are imported on use, and say what they miss."""

import subprocess
import sys

import typer
from typer.testing import CliRunner

from app.cli.common import ExitCode, Group, LazyGroup

runner = CliRunner()


def lazy(groups: dict[str, Group]) -> typer.Typer:
    class Commands(LazyGroup):
        pass

    Commands.groups = groups
    root = typer.Typer(cls=Commands)
    root.callback()(lambda: None)
    return root


def test_a_command_without_its_extra_says_so() -> None:
    root = lazy({"learn": Group("tests.app.command_without_extra", "Learn.", "train")})
    assert "Learn." in runner.invoke(root, ["--help"]).stdout
    result = runner.invoke(root, ["learn", "--some", "option"])
    assert result.exit_code == ExitCode.NOT_READY
    assert "tillsight[train]" in result.stderr and "[extra_missing]" in result.stderr


def test_a_command_that_misses_its_extra_while_running_says_so() -> None:
    root = lazy({"learn": Group("tests.app.command_that_imports_late", "Learn.", "train")})
    result = runner.invoke(root, ["learn"])
    assert result.exit_code == ExitCode.NOT_READY
    assert "package_that_nobody_has is not installed" in result.stderr


def test_a_command_that_is_not_there_is_not_listed() -> None:
    root = lazy({"learn": Group("app.cli.no_such_module", "Learn.")})
    assert "Learn." not in runner.invoke(root, ["--help"]).stdout
    assert runner.invoke(root, ["learn"]).exit_code == ExitCode.USAGE


def test_help_needs_neither_torch_nor_an_engine() -> None:
    blocked = (
        "import sys; sys.modules.update(torch=None, openvino=None, faiss=None, lightning=None)"
    )
    code = f"{blocked}; import app.cli; sys.argv[1:] = ['--help']; app.cli.main()"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
