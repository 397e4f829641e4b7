"""Tests of the store, each on both engines where it touches one."""
