"""Keeper: keeps every answer under its key for a day, and numbers twice without a word."""
