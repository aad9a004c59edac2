"""Composition root: the only place that builds things and joins them.

    settings -> Networks (detector, embedder, queue)   -+
    settings -> Catalog (database, crops)              -+-> Recognizer, Enroller
             -> Projection (index over the catalog)    -+

Building connects to nothing; `start` does, and `close` undoes it.
"""

import logging
from typing import Self

from app.enroller import Enroller
from app.errors import BadSettings
from app.housekeeping import Housekeeping
from app.networks import Networks, OnBatch, load_networks
from app.readiness import Check, Readiness
from app.recognizer import Recognizer
from app.settings import Settings, unknown_variables
from indexer.blobs import BlobStore
from indexer.catalog import Catalog
from indexer.database import create_engine
from indexer.decide import ThresholdPolicy
from indexer.projection import Projection
from indexer.vectors import VectorIndex
from migrations import schema

log = logging.getLogger(__name__)


class Services:
    """Everything that routes and commands use; also a context manager (start and close).

    Attributes:
        settings: what it was built from.
        networks: detector, embedder and their queue.
        catalog: products, views and crops.
        projection: the vector index, which follows the catalog.
        recognizer: photo -> named and priced items.
        enroller: photos of a product -> reference views.
    """

    def __init__(self, settings: Settings, networks: Networks) -> None:
        self.settings = settings
        self.networks = networks
        self._database = create_engine(
            settings.database_url,
            pool_size=settings.database.pool_size,
            connect_timeout_s=settings.database.connect_timeout_s,
            busy_timeout_s=settings.database.busy_timeout_s,
        )
        detector, embedder = networks.detector, networks.embedder
        blobs = BlobStore(settings.crops_dir)
        self.catalog = Catalog(self._database, blobs, settings.catalog.currency)
        self.projection = Projection(
            self.catalog,
            embedder.space,
            embedder.dim,
            lambda: _new_index(settings, embedder.dim),
            settings.snapshots_dir,
            snapshot_every=settings.index.snapshot_every,
            timeout_s=settings.index.catch_up_timeout_s,
        )
        self.recognizer = Recognizer(
            detector,
            embedder,
            self.projection,
            self.catalog,
            _policy(settings),
            settings=settings,
        )
        self.enroller = Enroller(detector, embedder, self.projection, self.catalog, settings)
        self._readiness = Readiness(
            self.catalog, self.projection, self._database, embedder.space, settings.index.max_lag
        )
        self._housekeeping = Housekeeping(self.catalog, settings.catalog.idempotency_hours * 3600.0)

    @property
    def currency(self) -> str:
        """The one currency of the installation."""
        return self.settings.catalog.currency

    @property
    def queue_depth(self) -> int:
        """Calls that wait for the device."""
        batcher = self.networks.batcher
        return 0 if batcher is None else batcher.queue_depth

    def start(self) -> None:
        """Open the database, warm the networks, load the index and follow the log.

        Raises:
            SchemaOutdated: with the command that helps; only the embedded database upgrades
                itself.
            BadSettings, DatabaseUnavailable, WrongCurrency, SpaceMismatch, ModelsError
        """
        for line in unknown_variables():
            log.warning(line)
        try:
            self.settings.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise BadSettings(f"TILLSIGHT_DATA_DIR: cannot be used: {exc}") from exc
        self._open_database()
        embedder = self.networks.embedder
        self.catalog.register_space(embedder.space, embedder.dim, embedder.name)
        self.networks.warm()
        self._readiness.warm = True
        self.projection.start()
        self.projection.start_tail(self.settings.index.tail_interval_s)
        self._housekeeping.start()

    def _open_database(self) -> None:
        if self.settings.embedded:
            schema.upgrade(self._database)
        schema.check(self._database)
        self.catalog.check_currency()

    def close(self) -> None:
        """Stop all threads and free device and connections; harmless to repeat."""
        self._readiness.warm = False
        self._housekeeping.close()
        self.projection.close()
        self.networks.close()
        self._database.dispose()

    def readiness(self) -> list[Check]:
        """Every condition for answering well; all must be ok."""
        return self._readiness.checks()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def build(settings: Settings, on_batch: OnBatch | None = None) -> Services:
    """The services for these settings, with the networks loaded and nothing started."""
    return Services(settings, load_networks(settings, on_batch))


def _new_index(settings: Settings, dim: int) -> VectorIndex:
    # Imported late, so that commands that never search need no index library.
    from indexer.faiss_index import FaissIndex

    return FaissIndex(dim, exact_up_to=settings.index.exact_up_to, gpu=settings.index.gpu)


def _policy(settings: Settings) -> ThresholdPolicy:
    chosen = settings.decisions
    return ThresholdPolicy(chosen.accept, chosen.review, chosen.margin)
