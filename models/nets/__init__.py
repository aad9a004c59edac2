"""Architectures only: no losses, no data, no serving."""
