"""The service: HTTP, command line, and the composition of `models` and `indexer`."""
