"""Tests of the testing kit: what authors rely on must itself be right."""
