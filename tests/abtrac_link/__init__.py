"""Tests of the wiring: settings, and the files that put the product on a server."""
