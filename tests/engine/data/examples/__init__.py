"""Tests of the kinds of examples."""
