"""`Endpoints`: the inference endpoints of a deployment, to list, make and delete, from code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..steps import EndpointSpec, find_endpoints, look_up_endpoint, remove_endpoint
from ..wire import EndpointInfo
from .settings import ServiceSettings

__all__ = ["EndpointInfo", "Endpoints"]

_Infos = list[EndpointInfo]  # within the class, `list` is a method


class Endpoints(ServiceSettings):
    """The inference endpoints of a deployment.

    Preconfigured endpoints need none of this. One of your own has vectors of another length, or cuts the texts of a
    `semantic_text` field in another way.

    It takes the connection settings of every adapter (`es_url`, `es_api_key`, …, or their environment variables). To list
    and describe needs the cluster privilege monitor_inference, to make and delete manage_inference.

    Raises:
        ConfigurationError: (also a ValueError) for settings that cannot work.
        JinaEISError: what the deployment answered, typed; see `jina_eis.errors`.

    Examples:
        ```python
        from jina_eis import Endpoints

        with Endpoints() as endpoints:
            endpoints.ensure("facts-256", model="jina-embeddings-v5-text-small", dimensions=256)
        ```
    """

    def list(self, *, all: bool = False) -> _Infos:  # noqa: A002 - reads best where it is called
        """The endpoints with models of Jina, by id; with `all`, every one."""
        return self._run(find_endpoints(every=all))

    async def alist(self, *, all: bool = False) -> _Infos:  # noqa: A002
        """As `list`, without blocking the event loop."""
        return await self._arun(find_endpoints(every=all))

    def describe(self, inference_id: str) -> EndpointInfo:
        """What the deployment says of an endpoint.

        Raises:
            EndpointNotFoundError: there is none of that id; the error names those of Jina.
        """
        return self._run(look_up_endpoint(inference_id))

    async def adescribe(self, inference_id: str) -> EndpointInfo:
        """As `describe`, without blocking the event loop."""
        return await self._arun(look_up_endpoint(inference_id))

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
        """The endpoint of EIS with these settings, which is made unless it is there. To say it twice changes nothing.

        Elasticsearch tries an endpoint by a call to the service before it makes it.

        Args:
            inference_id: Its id: a-z, 0-9, hyphens and underscores.
            model: The name of the model, such as "jina-embeddings-v5-text-small".
            dimensions: Length of its vectors, one that the model was trained for. Default: the model's own.
            similarity: "cosine", "dot_product" or "l2_norm". Default: Elasticsearch's choice.
            chunking_settings: How `semantic_text` cuts texts, as Elasticsearch takes it, for example
                `{"strategy": "sentence", "max_chunk_size": 120, "sentence_overlap": 0}`. Default: Elasticsearch's choice.
            task: "text_embedding", "embedding" or "rerank", for a model that is not in `jina_eis.MODELS`.

        Raises:
            ConfigurationError: for settings that the model has not. Nothing has been sent.
            EndpointExistsError: (also a ConfigurationError) an endpoint of that id has other settings, which the error names.
                It is left as it is. What is not said here is not compared, but for the model's own dimensions.
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
        """Delete an endpoint. What was indexed with it can then be neither searched nor added to.

        Args:
            inference_id: Its id.
            force: Delete it though it is preconfigured, or in use.

        Raises:
            ConfigurationError: it is preconfigured, and `force` was not said.
            EndpointNotFoundError: there is none of that id.
            RequestRejectedError: it is in use, and `force` was not said.
        """
        self._run(remove_endpoint(inference_id, force=force))

    async def adelete(self, inference_id: str, *, force: bool = False) -> None:
        """As `delete`, without blocking the event loop."""
        await self._arun(remove_endpoint(inference_id, force=force))
