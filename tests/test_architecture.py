"""The import rules of docs/architecture.md, checked on the syntax tree of every file."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("app", "models", "indexer", "migrations")
FILES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))

FORBIDDEN: dict[str, tuple[str, ...]] = {
    "models": ("indexer", "app", "migrations", "fastapi", "sqlalchemy", "faiss"),
    "indexer": ("models", "app", "torch", "fastapi", "cv2"),
    "migrations": ("models", "fastapi", "torch"),
}
ONLY_IN: dict[str, tuple[str, ...]] = {
    "torch": ("models/nets/", "models/engines/torch_engine.py", "models/train/"),
    "torchvision": ("models/nets/", "models/engines/torch_engine.py", "models/train/"),
    "lightning": ("models/train/",),
    "openvino": ("models/engines/openvino_engine.py", "models/train/"),
    "faiss": ("indexer/faiss_index.py",),
    "fastapi": ("app/routes/", "app/main.py", "app/middleware.py", "app/uploads.py"),
    "typer": ("app/cli/",),
    "sqlalchemy": ("indexer/", "migrations/"),
}
# What any process may import without torch: everything that serves.
TRAINING = ("models/train/", "models/nets/", "models/evaluate/", "models/engines/torch_engine.py")


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, at top level) of every import in a file; `if TYPE_CHECKING` does not count."""
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            yield node.module, id(node) in top


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_obey_the_rules(path: Path) -> None:
    package = name(path).split("/")[0]
    for module, _ in imports(path):
        root = module.split(".")[0]
        assert root not in FORBIDDEN.get(package, ()), f"{name(path)} imports {module}"
        allowed = ONLY_IN.get(root)
        assert allowed is None or name(path).startswith(allowed), f"{name(path)} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_that_serves_imports_training(path: Path) -> None:
    if name(path).startswith(TRAINING):
        return
    for module, at_top in imports(path):
        if not module.startswith(("models.train", "models.nets", "models.engines.torch_engine")):
            continue
        assert not at_top, f"{name(path)} imports {module} on import"
        assert name(path).startswith(("app/cli/", "models/engines/")), name(path)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_settings_read_the_environment(path: Path) -> None:
    if name(path) == "app/settings.py":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("environ", "getenv"), f"{name(path)}:{node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400, f"{name(path)}: over the hard stop of 400 lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= 60, f"{name(path)}:{node.lineno} {node.name}: {lines} lines"


def test_the_application_imports_without_torch() -> None:
    blocked = "import sys; sys.modules.update(torch=None, torchvision=None, lightning=None); "
    code = blocked + "import app.main, app.cli, app.services"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
