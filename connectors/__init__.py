"""Connectors to accounting packages: pure Python, one folder per package."""
