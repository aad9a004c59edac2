"""The command line with the fake networks, as a process of its own: `python -m ... demo`."""

import app.main
import app.services
from app.cli import main
from app.services import Services
from app.settings import Settings
from tests.fakes import fake_networks


def build(settings: Settings, on_batch: object = None) -> Services:
    return Services(settings, fake_networks())


if __name__ == "__main__":
    app.services.build = app.main.build = build
    main()
