"""The `tillsight` command."""
