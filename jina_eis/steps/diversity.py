"""Where Elasticsearch can choose hits that differ from each other, and the vectors with which this library chooses them.

`mmr` chooses; `search` decides which of both does.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import ConfigurationError
from ..wire import Field, Steps, ask, keeps_vectors_in_source, unpacked
from .embedder import Embedder
from .endpoints import describe_endpoint
from .search_settings import SearchResult
from .version import Version, server_version

__all__ = ["check_diversity", "diversifies", "diversity_feature", "with_vectors_of_texts"]

DIVERSIFY = {"dense_vector": ("diversify", "9.3"), "semantic_text": ("diversify over a semantic_text field", "9.6")}


def diversifies(index: str, field: Field) -> Steps[bool]:
    """Return whether Elasticsearch can compare the vectors of a field."""
    if field.type not in DIVERSIFY:
        return False
    version = yield from server_version()
    if version is None or version < Version.parse(DIVERSIFY[field.type][1]):
        return False
    return not (yield from ask([keeps_vectors_in_source(index)]))[0]


def diversity_feature(field: Field, name: str = "diversify") -> tuple[str, str]:
    """Return what a deployment needs to choose different hits by a field, with its first version.

    Args:
        field: The field that is searched.
        name: What asks for different hits, for the error.

    Raises:
        ConfigurationError: a field whose vectors cannot be compared.
    """
    try:
        return DIVERSIFY[field.type]
    except KeyError:
        raise ConfigurationError(
            f"{name} compares the vectors of a dense_vector or semantic_text field, and {field.name!r} is of type "
            f"{field.type}. Search without it."
        ) from None


def check_diversity(index: str, field: Field, version: Version | None) -> Steps[None]:
    """Check that Elasticsearch can compare the vectors of a field: where it cannot, it returns no hits and no error."""
    if field.type == "semantic_text" and version is None:
        feature, since = DIVERSIFY[field.type]
        raise ConfigurationError(
            f"{feature} needs Elasticsearch {since}, and this key may not see the version of the deployment; an older one "
            "returns no hits. Give the key the cluster privilege monitor, or leave diversify out."
        )
    if (yield from ask([keeps_vectors_in_source(index)]))[0]:
        raise ConfigurationError(
            f"The index {index!r} has the setting index.mapping.exclude_source_vectors: false, with which diversify "
            "returns no hits. Leave diversify out, or index the documents in an index without this setting."
        )


def with_vectors_of_texts(field: Field, results: list[SearchResult], timeout: float) -> Steps[list[SearchResult]]:
    """Return the results that have a text, with the vectors of the texts, which are embedded as documents."""
    embedder = Embedder(str(field.inference_id), timeout=timeout)
    with_text = [result for result in results if result.text.strip()]
    info = yield from describe_endpoint(str(field.inference_id))
    batches = yield from ask(embedder.calls(info, [result.text for result in with_text], "ingest"))
    vectors = [unpacked(vector) for batch in batches for vector in batch]
    return [replace(result, vector=vector) for result, vector in zip(with_text, vectors, strict=True)]
