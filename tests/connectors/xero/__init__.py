"""Tests of the Xero connector and its stand-in."""
