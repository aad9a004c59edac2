import pytest
from pydantic import ValidationError

from app import settings
from app.errors import BadSettings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _, _ in settings.describe():
        monkeypatch.delenv(name, raising=False)


def test_defaults_run_on_a_laptop():
    chosen = settings.load()
    assert chosen.embedded
    assert chosen.database_url == "sqlite:///data/tillsight.db"
    assert chosen.crops_dir.as_posix() == "data/crops"
    assert chosen.snapshots_dir.as_posix() == "data/index"
    assert chosen.http.host == "127.0.0.1"
    assert chosen.bundles.detector.parts[-3:] == ("models", "weights", "kiosk-detector")
    assert chosen.bundles.embedder.is_absolute()


def test_variables_fill_groups_and_arguments_win(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("TILLSIGHT_HTTP__PORT", "9001")
    monkeypatch.setenv("TILLSIGHT_DATA_DIR", "elsewhere")
    monkeypatch.setenv("TILLSIGHT_DATABASE__URL", "")
    chosen = settings.load(data_dir=tmp_path)
    assert (chosen.http.port, chosen.http.host) == (9001, "127.0.0.1")
    assert chosen.data_dir == tmp_path
    assert chosen.embedded, "an empty variable is an unset one"


def test_another_database_is_not_embedded():
    chosen = settings.load(database={"url": "postgresql://u:secret@db/shop"})
    assert not chosen.embedded
    assert chosen.database_url.endswith("@db/shop")
    assert "secret" not in repr(chosen)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TILLSIGHT_HTTP__PORT", "many"),
        ("TILLSIGHT_HTTP__PORT", "70000"),
        ("TILLSIGHT_ENGINE__DEVICE", "tpu"),
        ("TILLSIGHT_CATALOG__CURRENCY", "euro"),
        ("TILLSIGHT_DATABASE__URL", "mysql://u:secret@db/shop"),
        ("TILLSIGHT_DECISIONS__REVIEW", "0.9"),
        ("TILLSIGHT_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as caught:
        settings.load()
    assert name.rsplit("__", 1)[0] in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_unknown_name_inside_a_group_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TILLSIGHT_HTTP__PROT", "9001")
    with pytest.raises(BadSettings, match="TILLSIGHT_HTTP__PROT"):
        settings.load()


def test_unknown_variables_are_named_with_the_nearest():
    found = settings.unknown_variables(
        {"TILLSIGHT_DATADIR": "x", "TILLSIGHT_DATA_DIR": "x", "PATH": "x"}
    )
    assert found == ["TILLSIGHT_DATADIR is not a setting; near: TILLSIGHT_DATA_DIR"]


def test_settings_cannot_be_changed():
    chosen = settings.load()
    with pytest.raises(ValidationError):
        chosen.log_level = "DEBUG"
    with pytest.raises(ValidationError):
        chosen.http.port = 1


def test_every_setting_is_described():
    rows = list(settings.describe())
    assert len(rows) == len({name for name, _, _ in rows})
    assert all(name.startswith("TILLSIGHT_") for name, _, _ in rows)
    assert all(text.endswith(".") for _, _, text in rows), "a sentence for every setting"
    assert ("TILLSIGHT_HTTP__PORT", "8000") in {(name, default) for name, default, _ in rows}
