"""Tests of what all connectors share."""
