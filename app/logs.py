"""Logs as one JSON object a line."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

ACCESS = "tillsight.access"
"""Logger of the line per request; its records carry their members in `record.fields`."""


class JsonFormatter(logging.Formatter):
    """Formats a record as one line: time, level, logger, message, its fields, the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object, without line breaks."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_config(level: str) -> dict[str, Any]:
    """A `logging.config.dictConfig` value: everything to standard error as JSON.

    uvicorn's own line per request is off, because the middleware writes a richer one.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": level.upper(), "handlers": ["stderr"]},
        "loggers": {
            "uvicorn.access": {"handlers": [], "propagate": False},
            # Each says several times at every start what nobody asked.
            "alembic": {"level": "WARNING"},
            "faiss.loader": {"level": "WARNING"},
        },
    }
