"""`Endpoints`: the inference endpoints of a deployment, listed, created and deleted from code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..steps import EndpointSpec, fetch_endpoint, find_default_reranker, find_endpoints, remove_endpoint
from ..wire import EndpointInfo
from .settings import ServiceSettings

__all__ = ["EndpointInfo", "Endpoints"]

_Infos = list[EndpointInfo]  # inside the class, `list` is a method


class Endpoints(ServiceSettings):
    """The inference endpoints of a deployment.

    Preconfigured endpoints exist already. Create your own endpoint for vectors of another length, or for another chunking of
    the texts of a `semantic_text` field.

    It takes the connection settings of every adapter (`es_url`, `es_api_key`, …, or their environment variables). `list` and
    `describe` need the cluster privilege monitor_inference; `ensure` and `delete` need manage_inference.

    Raises:
        ConfigurationError: (also a ValueError) the settings are invalid.
        JinaEISError: the deployment returned an error; see `jina_eis.errors` for the types.

    Examples:
        ```python
        from jina_eis import Endpoints

        with Endpoints() as endpoints:
            endpoints.ensure("facts-256", model="jina-embeddings-v5-text-small", dimensions=256)
        ```
    """

    def list(self, *, all: bool = False) -> _Infos:  # noqa: A002 - reads best at the call
        """The endpoints with Jina models, sorted by id; with `all`, the endpoints of every model."""
        return self._run(find_endpoints(every=all))

    async def alist(self, *, all: bool = False) -> _Infos:  # noqa: A002
        """As `list`, without blocking the event loop."""
        return await self._arun(find_endpoints(every=all))

    def describe(self, inference_id: str) -> EndpointInfo:
        """Describe an endpoint, as the deployment reports it. Its id may be a name of its model.

        Raises:
            EndpointNotFoundError: no endpoint has this id; the error lists the endpoints of Jina models.
        """
        return self._run(fetch_endpoint(inference_id))

    async def adescribe(self, inference_id: str) -> EndpointInfo:
        """As `describe`, without blocking the event loop."""
        return await self._arun(fetch_endpoint(inference_id))

    def default_reranker(self) -> str:
        """The id of the endpoint that `JinaEISRerank` uses by default, for example for the `rerank_inference_id` of a retriever.

        It is `.jina-reranker-v3.5` if the deployment has it, else `.jina-reranker-v3`. Works without the privilege to see
        endpoints, by a request to rank one sentence.
        """
        return self._run(find_default_reranker(self.timeout))

    async def adefault_reranker(self) -> str:
        """As `default_reranker`, without blocking the event loop."""
        return await self._arun(find_default_reranker(self.timeout))

    def ensure(
        self,
        inference_id: str,
        *,
        model: str,
        dimensions: int | None = None,
        similarity: str | None = None,
        chunking_settings: Mapping[str, Any] | None = None,
        task: str | None = None,
    ) -> EndpointInfo:
        """Return the EIS endpoint with these settings, and create it if it does not exist. A second call changes nothing.

        Elasticsearch calls the service to test an endpoint before it creates it.

        Args:
            inference_id: The id: a-z, 0-9, hyphens and underscores.
            model: The name of the model, such as "jina-embeddings-v5-text-small".
            dimensions: Length of the vectors, a length that the model was trained for. Default: the model's own.
            similarity: "cosine", "dot_product" or "l2_norm". Default: Elasticsearch's choice.
            chunking_settings: How `semantic_text` chunks texts, in the format of Elasticsearch, for example
                `{"strategy": "sentence", "max_chunk_size": 120, "sentence_overlap": 0}`. Default: Elasticsearch's choice.
            task: "text_embedding", "embedding" or "rerank", for a model that `jina_eis.MODELS` does not list.

        Raises:
            ConfigurationError: the model does not support the settings. No request was sent.
            EndpointExistsError: (also a ConfigurationError) an endpoint with this id has other settings; the error names
                them. The endpoint is not changed. Arguments that are left out are not compared; but without `dimensions`,
                a known model must have its own length.
        """
        return self._run(
            EndpointSpec(inference_id, model, task, dimensions, similarity, chunking_settings).ensure(self.timeout),
        )

    async def aensure(
        self,
        inference_id: str,
        *,
        model: str,
        dimensions: int | None = None,
        similarity: str | None = None,
        chunking_settings: Mapping[str, Any] | None = None,
        task: str | None = None,
    ) -> EndpointInfo:
        """As `ensure`, without blocking the event loop."""
        return await self._arun(
            EndpointSpec(inference_id, model, task, dimensions, similarity, chunking_settings).ensure(self.timeout),
        )

    def delete(self, inference_id: str, *, force: bool = False) -> None:
        """Delete an endpoint. Fields that use it can then be neither searched nor added to.

        Args:
            inference_id: The id.
            force: Delete the endpoint even if it is preconfigured or in use.

        Raises:
            ConfigurationError: the endpoint is preconfigured, and `force` is not set.
            EndpointNotFoundError: no endpoint has this id.
            RequestRejectedError: the endpoint is in use, and `force` is not set.
        """
        self._run(remove_endpoint(inference_id, force=force))

    async def adelete(self, inference_id: str, *, force: bool = False) -> None:
        """As `delete`, without blocking the event loop."""
        await self._arun(remove_endpoint(inference_id, force=force))
