"""Engines run a network: arrays in, arrays out."""
