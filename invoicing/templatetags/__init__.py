"""Template tags of invoicing."""
