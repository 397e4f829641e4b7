"""Tests of the core. A package, so that no library's stray ``tests`` package can take its place."""
