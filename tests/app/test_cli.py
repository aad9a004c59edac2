"""The command line: what is printed, what is stored and the exit codes."""

import csv
from pathlib import Path

import pytest
from typer.testing import Result

from app import images
from app.cli.common import ExitCode, exit_code
from app.errors import BadPrice, BadSettings, NotAnImage
from indexer.errors import DatabaseUnavailable, ProductNotFound, WrongCurrency
from models.errors import BundleError
from tests.app.command_line import home, json_lines, run, save
from tests.fakes import BLUE, GREEN, RED, photo, tray

__all__ = ["home"]


def enroll(home: Path, sku: str, colour: tuple[int, int, int], *more: str) -> Result:
    file = save(home / f"{sku}.png", photo(colour))
    return run("enroll", sku, file, "--name", f"Product {sku}", "--price", "1.29", *more)


def test_help_lists_every_command_and_the_exit_codes() -> None:
    text = run("--help").output
    for name in ("serve", "demo", "detect", "enroll", "products", "db", "bundle"):
        assert name in text
    assert "Exit codes" in text


def test_help_pages_leave_nothing_out_and_offer_no_completion() -> None:
    page = run("enroll", "--help").output
    assert "[x1,y1,x2,y2]" in page
    for arguments in (["enroll"], ["products"], ["db"], ["bundle"]):
        assert "completion" not in run(*arguments, "--help").output


def test_a_data_directory_that_cannot_be_is_one_line(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("TILLSIGHT_DATA_DIR", str(save(home / "file", b"") / "data"))
    for arguments in (("db", "current"), ("products", "list")):
        result = run(*arguments, expect=ExitCode.NOT_READY)
        assert "TILLSIGHT_DATA_DIR" in result.stderr and "[bad_settings]" in result.stderr


def test_version() -> None:
    assert run("--version").output.startswith("tillsight ")


@pytest.mark.parametrize("arguments", [["nonsense"], ["detect"], ["products", "list", "--limit=0"]])
def test_wrong_usage_is_two(arguments: list[str]) -> None:
    run(*arguments, expect=ExitCode.USAGE)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ProductNotFound("X"), ExitCode.FAILED),
        (BadPrice("x", "expected a number"), ExitCode.FAILED),
        (NotAnImage("no"), ExitCode.FAILED),
        (BadSettings("x"), ExitCode.NOT_READY),
        (DatabaseUnavailable("away"), ExitCode.NOT_READY),
        (BundleError("broken"), ExitCode.NOT_READY),
        (WrongCurrency("USD", "EUR"), ExitCode.NOT_READY),
    ],
)
def test_exit_code_of_errors(error: Exception, code: ExitCode) -> None:
    assert exit_code(error) == code


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLSIGHT_HTTP__PORT", "many")
    result = run("products", "list", expect=ExitCode.NOT_READY)
    assert "TILLSIGHT_HTTP__PORT" in result.stderr
    assert "[bad_settings]" in result.stderr
    assert "Traceback" not in result.output


def test_a_missing_bundle_is_one_line(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("TILLSIGHT_DATA_DIR", str(home))
    monkeypatch.setenv("TILLSIGHT_BUNDLES__DETECTOR", str(home / "nothing"))
    picture = save(home / "a.png", photo(RED))
    result = run("detect", picture, expect=ExitCode.NOT_READY)
    assert result.stderr.strip().endswith("[bad_bundle]")
    assert len(result.stderr.strip().splitlines()) == 1


def test_database_commands(home: Path) -> None:
    assert "[schema_outdated]" in run("db", "check", expect=ExitCode.FAILED).stderr
    [before] = json_lines(run("db", "current", "--json"))
    assert before["current"] is None and not before["ok"]
    assert "upgraded" in run("db", "upgrade").stdout
    assert "already" in run("db", "upgrade").stdout
    run("db", "check")
    [after] = json_lines(run("db", "current", "--json"))
    assert after["ok"]
    assert after["current"] in run("db", "current").stdout


def test_enroll_then_detect(home: Path) -> None:
    assert "created R" in enroll(home, "R", RED, "--category", "fruit").stdout
    [added] = json_lines(enroll(home, "G", GREEN, "--json", "--attributes", '{"bio": true}'))
    assert added["created"] and added["product"]["attributes"] == {"bio": True}
    shapes = ((RED, (10, 10, 90, 90)), (GREEN, (120, 20, 200, 120)), (BLUE, (220, 20, 300, 100)))
    picture = save(home / "tray.png", images.encode(tray(*shapes), "PNG"))
    result = run("detect", picture, "--json", "--annotate", home / "out")
    [answer] = json_lines(result)
    assert answer["photo"] == str(picture)
    assert {item["sku"] for item in answer["items"]} == {"R", "G", None}
    assert answer["total"] == "2.58"
    assert (home / "out" / "tray.annotated.jpg").read_bytes()[:2] == b"\xff\xd8"
    table = run("detect", picture).stdout
    assert "Product R" in table and "3 objects, 1 need attention" in table


def test_detect_reports_a_bad_photo_and_goes_on(home: Path) -> None:
    bad, good = save(home / "bad.png", b"no picture"), save(home / "good.png", photo(RED))
    result = run("detect", bad, good, "--json", expect=ExitCode.FAILED)
    assert [line["photo"] for line in json_lines(result)] == [str(good)]
    assert "[not_an_image]" in result.stderr


def test_enroll_refuses_with_the_code(home: Path) -> None:
    file = save(home / "a.png", photo(RED))
    arguments = ("enroll", "A", file, "--name", "A")
    assert "[bad_price]" in run(*arguments, "--price", "1,29", expect=1).stderr
    assert "[bad_box]" in run(*arguments, "--price", "1", "--boxes", "[[0,0,0,0]]", expect=1).stderr
    assert run("products", "list", "--json").stdout.strip() == "[]"


def test_enroll_tells_of_look_alikes(home: Path) -> None:
    enroll(home, "A", RED)
    assert "looks like A" in enroll(home, "B", RED).stderr
    file = save(home / "C.png", photo(RED))
    arguments = ("--name", "C", "--price", "1", "--on-confusable", "reject")
    assert "[confusable]" in run("enroll", "C", file, *arguments, expect=1).stderr


def test_products(home: Path) -> None:
    enroll(home, "R", RED, "--category", "fruit")
    enroll(home, "G", GREEN)
    assert [p["sku"] for p in json_lines(run("products", "list", "--json"))[0]] == ["R", "G"]
    table = run("products", "list", "--search", "product r")
    assert "1.29 EUR" in table.stdout and "Product G" not in table.stdout
    assert "more than 1" in run("products", "list", "--limit", "1").stderr
    [shown] = json_lines(run("products", "show", "R", "--json"))
    assert shown["category"] == "fruit" and len(shown["reference_views"]) == 1
    assert "Product R" in run("products", "show", "R").stdout
    run("products", "delete", "R", input="n\n", expect=1)
    run("products", "delete", "R", input="y\n")
    assert "[product_not_found]" in run("products", "show", "R", expect=1).stderr
    run("products", "delete", "G", "--yes")


def test_export_and_import_again(home: Path) -> None:
    enroll(home, "R", RED)
    file = home / "all.csv"
    run("products", "export", file)
    assert run("products", "export", "-").stdout == file.read_text()
    assert run("products", "import", file).stdout.startswith("1 rows: 0 created, 0 updated, 1 un")


def test_an_export_to_nowhere_is_one_line(home: Path) -> None:
    result = run("products", "export", home / "nowhere" / "all.csv", expect=ExitCode.FAILED)
    assert "[file_error]" in result.stderr


def test_an_export_that_fails_leaves_nothing(home: Path) -> None:
    (home / "all.csv").mkdir()
    run("products", "export", home / "all.csv", expect=ExitCode.FAILED)
    assert [path.name for path in home.iterdir() if path.name.startswith("all")] == ["all.csv"]


def test_any_other_fault_of_a_file_is_one_line(home: Path) -> None:
    save(home / "data" / "index", b"a file where the folder of the snapshots should be")
    result = run("index", "snapshot", expect=ExitCode.FAILED)
    assert "[file_error]" in result.stderr
    assert "Traceback" not in result.output


def test_import_with_photos_reports_refused_rows(home: Path) -> None:
    save(home / "photos" / "r.png", photo(RED))
    rows = [["sku", "name", "price", "images"], ["R", "Red", "1.00", "r.png"]]
    rows += [["X", "No photo", "2.00", "missing.png"], ["Y", "Bad price", "two", "r.png"]]
    with (home / "in.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    arguments = ("products", "import", home / "in.csv", "--images", home / "photos")
    result = run(*arguments, expect=ExitCode.FAILED)
    assert "1 created" in result.stdout and "2 refused" in result.stdout
    assert "line 3, X" in result.stderr and "[bad_price]" in result.stderr
    [report] = json_lines(run(*arguments, "--json", expect=ExitCode.FAILED))
    assert report["unchanged"] == 1
    assert [r["code"] for r in report["refused"]] == ["invalid_input", "bad_price"]
