"""Tests of the registry: real distributions on disk, real imports, real child processes."""
