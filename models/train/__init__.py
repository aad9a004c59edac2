"""Training: nothing in serving imports it."""
