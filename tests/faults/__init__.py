"""Tests that kill workers, cut lines and withhold answers."""
