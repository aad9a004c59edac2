"""A command module whose dependency is not installed."""

import package_that_nobody_has  # type: ignore[import-not-found]

app = package_that_nobody_has.app
