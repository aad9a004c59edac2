"""Readers, drawn products and composed scenes for training, evaluation and the demo."""
