"""Keeper's stand-in, arranged for the contract."""
