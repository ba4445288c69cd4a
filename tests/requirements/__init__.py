"""Tests of the locks and of the environment made from them."""
