"""Runtimes for the networks: arrays in, arrays out."""

from models.engines.base import Engine
from models.engines.select import create_engine

__all__ = ["Engine", "create_engine"]
