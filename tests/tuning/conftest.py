from __future__ import annotations

from tests.workflows.conftest import small_graph

__all__ = ["small_graph"]
