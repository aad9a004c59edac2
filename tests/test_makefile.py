"""The Makefile and the gate: every target explained, every file there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Makefile").read_text()


def test_every_target_has_a_comment_and_is_phony() -> None:
    targets = re.findall(r"^([a-z][a-z-]*):", TEXT, re.M)
    phony = TEXT.split(".PHONY:")[1].splitlines()[0].split()
    assert sorted(targets) == sorted(phony)
    commented = re.findall(r"^([a-z][a-z-]*):.*##", TEXT, re.M)
    assert sorted(commented) == sorted(targets)
    assert {"demo", "serve", "test", "lint", "lock", "docs", "help"} <= set(targets)


def test_help_lists_all() -> None:
    # Below another make, as in the gate, it would also tell which folder it enters.
    command = ["make", "--no-print-directory", "help"]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert len(found.stdout.decode().splitlines()) == TEXT.count("  ## ")


def test_files_it_names_exist() -> None:
    names = re.findall(r"(?:requirements|models)/[\w/.-]+\.(?:txt|in|yaml)", TEXT)
    assert names
    for name in names:
        assert (ROOT / name).is_file(), name


def test_an_old_python_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    found = subprocess.run(
        ["make", "demo", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert found.returncode != 0
    assert "older than 3.11" in found.stdout + found.stderr


def test_the_gate_can_be_run() -> None:
    gate = ROOT / ".ci" / "run"
    assert os.access(gate, os.X_OK)
    subprocess.run(["bash", "-n", gate], check=True)
