"""Registries in which no plugin is trusted."""

from __future__ import annotations

from tests.registry.conftest import anyio_backend, make, reports, site

__all__ = ["anyio_backend", "make", "reports", "site"]
