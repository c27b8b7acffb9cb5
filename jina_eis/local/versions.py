"""The versions of Elasticsearch that the embedded EIS answers as, and the features that older ones lack.

A version changes the number that is reported, the endpoints that are listed, the features below, whether `_source` holds
vectors, and the status of a timeout. All else is that of the newest version. Knows no request.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BUILD", "CLUSTER", "LICENCE", "NEWEST", "VERSIONS", "Version"]

VERSIONS = ("8.19", "9.0", "9.1", "9.2", "9.3", "9.4", "9.5", "9.6")
NEWEST = VERSIONS[-1]

# The first version with each feature.
FEATURES = {
    "weights of rrf": (9, 2),
    "chunk_rescorer": (9, 2),
    "format chunks": (9, 2),
    "sources without vectors": (9, 2),
    "embedding": (9, 3),  # the task; of text and images
    "diversify": (9, 3),
    "vectors in base64": (9, 3),  # in documents
    "query_vector_builder.embedding": (9, 4),
    "embedding in semantic_text": (9, 4),
    "query_vector in base64": (9, 4),
    "timeouts as 429": (9, 4),
    "audio, video and pdf": (9, 5),
    "fused inputs": (9, 5),
    "rerank of items": (9, 5),
    "semantic fields": (9, 5),
    "vectordb_document": (9, 5),
    "diversify over semantic_text": (9, 6),  # 9.4 and 9.5 accept it, and find nothing
    "document_extraction": (9, 6),
    "chat completions as JSON": (9, 6),
    "format url": (9, 6),
}

# What every version reports of itself.
LICENCE = {"license": {"type": "trial", "status": "active", "uid": "jina-eis-local-not-a-licence", "issued_to": "jina-eis-local"}}
CLUSTER = {"name": "jina-eis-local", "cluster_name": "jina-eis-local", "cluster_uuid": "jina-eis-local-not-a-cluster"}
BUILD = {
    "build_flavor": "default",
    "build_type": "tar",
    "build_hash": "0" * 40,
    "build_date": "2026-08-01T00:00:00.000000000Z",
    "build_snapshot": False,
    "lucene_version": "10.4.0",
    "minimum_wire_compatibility_version": "8.19.0",
    "minimum_index_compatibility_version": "8.0.0",
}


class Version(NamedTuple):
    """A version of Elasticsearch; a higher one is greater."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Parse a version such as `9.3`."""
        major, minor = text.split(".")
        return cls(int(major), int(minor))

    @property
    def number(self) -> str:
        """The number that `GET /` reports."""
        return f"{self.major}.{self.minor}.0"

    def has(self, feature: str) -> bool:
        """Return whether this version has a feature of `FEATURES`."""
        return self >= FEATURES[feature]
