"""Accounting interfaces: one connection to one company file of one accounting package."""
