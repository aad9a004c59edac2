"""What the gauges of /metrics show at this moment."""

from app.services import Services
from indexer.errors import IndexerError


def read_gauges(services: Services | None) -> dict[str, float]:
    """Value per gauge; those that need the database are absent while it does not answer."""
    if services is None:
        return {}
    revision = services.projection.revision
    values: dict[str, float] = {
        "tillsight_queue_depth": services.queue_depth,
        "tillsight_index_views": len(services.projection),
        "tillsight_index_revision": revision,
    }
    try:
        head = services.catalog.head()
    except IndexerError:
        return {**values, "tillsight_database_up": 0.0}
    return {
        **values,
        "tillsight_database_up": 1.0,
        "tillsight_catalog_revision": head,
        # The index may have read further since: never less than nothing.
        "tillsight_index_lag": max(0, head - revision),
    }
