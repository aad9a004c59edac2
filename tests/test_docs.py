"""The pages say what the code does: tables, links, and no word of the place it was made in."""

import re
from pathlib import Path

import pytest

from app import catalog_schemas, schemas
from tests import reference

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_tables_are_current(page: Path) -> None:
    text = page.read_text()
    assert reference.filled(text) == text, "run `make docs`"


def test_every_table_is_in_some_page() -> None:
    marked = {found[2] for page in PAGES for found in reference.BLOCK.finditer(page.read_text())}
    assert marked == set(reference.TABLES)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{name(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_are_named_exist(page: Path) -> None:
    pattern = r"`((?:app|models|indexer|migrations|tests|docs|requirements)/[\w./-]+)`"
    for target in re.findall(pattern, page.read_text()):
        assert (ROOT / target).exists() or (ROOT / f"{target}.py").exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_targets_that_are_named_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([\w-]+)", page.read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_answers_in_the_readme_have_every_field_of_the_real_ones() -> None:
    blocks = re.findall(
        r"<!-- answer: (\w+) -->\n```json\n(.*?)```", PAGES[0].read_text(), re.DOTALL
    )
    assert {kind for kind, _ in blocks} == {"DetectAnswer", "EnrollAnswer"}
    for kind, text in blocks:
        model = getattr(schemas, kind, None) or getattr(catalog_schemas, kind)
        answer = model.model_validate_json(text)
        assert answer.model_fields_set == set(model.model_fields)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_are_for_everyone(page: Path) -> None:
    here = str(ROOT.parent)
    assert here == "/" or f"{here}/" not in page.read_text()
