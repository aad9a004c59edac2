"""HTTP routes, one file per role."""
