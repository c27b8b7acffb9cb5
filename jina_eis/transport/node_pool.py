"""The node pool of the clients made here. Imported with the Elasticsearch client."""

from __future__ import annotations

from elastic_transport import BaseNode, NodePool

__all__ = ["OneNode"]


class OneNode(NodePool):
    """A pool with one node, which is never out of use: this library decides when to send again.

    The client's own pool warns that a node "has failed" after any 429 or 503, with a timeout that does not apply.
    """

    def mark_dead(self, node: BaseNode, _now: float | None = None) -> None:
        """Keep the node in use."""

    def mark_live(self, node: BaseNode) -> None:
        """Keep the node in use."""
