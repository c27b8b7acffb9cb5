"""`JinaEISRerank`: LlamaIndex's node postprocessor over the shared core."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, ClassVar

from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle

from jina_eis.adapters import RerankSettings, checked, listed
from jina_eis.contents import Content, Link, Part, label, medium_from_location
from jina_eis.errors import InputError
from jina_eis.steps import Ranked
from jina_eis.wire import Steps

from .media import has_image, image_or_text
from .plugin import USAGE, Plugin

__all__ = ["JinaEISRerank"]

dispatcher = get_dispatcher(__name__)

RETRIEVAL_SCORE = "retrieval_score"


class PreliminaryNode(NodeWithScore):
    """A node whose score is not comparable with those of other nodes. The mark is not in the node, which others may share."""

    relevance_score_preliminary: bool = True


class JinaEISRerank(Plugin, RerankSettings, BaseNodePostprocessor):
    """Jina rerankers on the Elastic Inference Service (EIS), for any number of nodes.

    Args:
        inference_id: The inference endpoint, preconfigured or your own, or a name of its model; `model` is an alias. Default:
            `.jina-reranker-v3.5` if the deployment has it, else `.jina-reranker-v3`. It is looked up with the first nodes, and
            the attribute then has its id.
        top_n: Nodes to return; None for all. Default: 3.
        score_threshold: The result ends before the first node with a lower score. Scores of a listwise model lie between -1
            and 1 and depend on the other nodes: choose the threshold on your own data. Default: None.
        keep_retrieval_score: Return copies of the nodes with their previous score in `metadata["retrieval_score"]`, which is
            excluded from the text for embedding models and LLMs. Default: False.
        metadata_mode: Which metadata the reranker reads before the text. Default: the metadata for embedding models.
        window_size: Maximum number of nodes per request. Default: None, for 64, which jina-reranker-v3 ranks together (arXiv
            2509.25085), or 128 for jina-reranker-v3.5. A request holds fewer nodes if they have more than 120,000 tokens, by a
            high estimate, or more than 4 MB of images together.
        strategy: How to rank more nodes than a window. Requests for 64, 100, 200, 500 and 1,000 nodes:

            - "two_stage": ranks blocks in parallel, then the best of all blocks in one request: 1, 3, 5, 9 and 19 with v3, 1, 1,
              3, 5 and 9 with v3.5. For every model; the first 8 places are exact, the others nearly always.
            - "sliding": moves a window from the end to the front: 1, 3, 6, 15 and 31 with v3, 1, 1, 3, 7 and 15 with v3.5, one
              after the other. For every model, slower; the first half of a window is exact.
            - "pages": scores each node once and sorts by score: 1, 2, 4, 8 and 16, in parallel. For pointwise models only;
              rejected for models that are known to be listwise.
            - "auto" (default): "pages" for jina-reranker-v2-base-multilingual and m0, "two_stage" for any other.
        allow_url_fetch: Whether images may be fetched from URLs. Default: False.
        too_long: What to do about a query or nodes with more tokens than the model reads: "warn" once a call, "error" or
            "ignore". Default: "warn".
        pass_urls: Whether URLs of images are passed on to the service, which fetches them (Elastic Stack 9.6). Default: False.

    es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client, timeout, max_retries, deadline, max_concurrency,
    use_case, wire_format, ca_certs, verify_certs, ssl_assert_fingerprint, proxy, headers and http_compress are described at
    `ServiceSettings`. Unknown arguments are an error.

    With more nodes than a window and a listwise model, a final request ranks the best of all blocks, and its scores are
    comparable: those of at least half a window. The nodes after them are also in order, but their scores come from requests
    with other nodes and are not comparable: the `NodeWithScore` of each has the attribute
    `relevance_score_preliminary = True`, which the others lack.

    An `ImageNode` and a node with an image resource are ranked by their image, by a model that ranks images, such as
    `.jina-reranker-m0`; other nodes by their text, even if it is empty. A query without text is ranked by its `image_path`.

    One object works in any number of threads and event loops. Dictionaries, JSON and the representation contain no secrets.
    Pickles contain them; an object can be pickled if it was created without your own client.

    Raises:
        ConfigurationError: (also a ValueError) invalid arguments. Those that depend on the deployment are detected on
            first use.
        InputError: (also a ValueError) the query is missing or empty, or a node has an image and the model ranks only texts. No
            event was emitted and no request was sent.
        JinaEISError: the service returned an error; see `jina_eis.errors` for the types. The error names the nodes
            of the failed request.

    Examples:
        ```python
        from llama_index_jina_eis import JinaEISRerank

        engine = index.as_query_engine(similarity_top_k=50, node_postprocessors=[JinaEISRerank(top_n=5)])
        ```
    """

    product: ClassVar[str] = f"llama-index-jina-eis/{version('jina-eis')}"

    keep_retrieval_score: bool = False
    metadata_mode: MetadataMode = MetadataMode.EMBED

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised form."""
        return "JinaEISRerank"

    def _postprocess_nodes(self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None) -> list[NodeWithScore]:
        nodes = list(checked(listed(nodes, BaseNode, "node"), NodeWithScore, "node"))
        query, contents = self._read(_query(query_bundle), [node.node for node in nodes])
        return self._run(self._rerank_nodes(nodes, query_bundle, query, contents))

    @dispatcher.span
    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        nodes = list(checked(listed(nodes, BaseNode, "node"), NodeWithScore, "node"))
        query, contents = await self._aread(_query(query_bundle), [node.node for node in nodes])
        return await self._arun(self._rerank_nodes(nodes, query_bundle, query, contents))

    def _may_be_image(self, item: Any) -> bool:
        return has_image(item) if isinstance(item, BaseNode) else not isinstance(item, str)

    def _adapt(self, item: Any) -> Part | Link | None:
        if isinstance(item, QueryBundle):
            return medium_from_location(item.image_path or "", "image/*")
        return image_or_text(item, self.metadata_mode) if isinstance(item, BaseNode) else None

    def _rerank_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None, query: Content, contents: Sequence[Content]
    ) -> Steps[list[NodeWithScore]]:
        steps = self._rank(query, contents, self.top_n)
        if not nodes:
            return []
        top_n = self.top_n or len(nodes)
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.inference_id,
            EventPayload.QUERY_STR: label(query),
            EventPayload.TOP_K: top_n,
        }
        before = self.usage
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            payload[EventPayload.MODEL_NAME] = endpoint = yield from self._find_endpoint()
            dispatcher.event(ReRankStartEvent(query=query_bundle, nodes=nodes, top_n=top_n, model_name=endpoint))
            ranked = yield from steps
            reranked = [self._node_with_score(nodes[entry.index], entry) for entry in ranked]
            event.on_end(payload={EventPayload.NODES: reranked, USAGE: self.usage_since(before).as_dict()})
        dispatcher.event(ReRankEndEvent(nodes=reranked))
        return reranked

    def _node_with_score(self, node: NodeWithScore, ranked: Ranked) -> NodeWithScore:
        kind = PreliminaryNode if ranked.preliminary else NodeWithScore
        if not self.keep_retrieval_score:
            return kind(node=node.node, score=ranked.score)
        original = node.node
        copied = original.model_copy(
            update={
                "metadata": {**original.metadata, RETRIEVAL_SCORE: node.score},
                "excluded_embed_metadata_keys": _with_score_key(original.excluded_embed_metadata_keys),
                "excluded_llm_metadata_keys": _with_score_key(original.excluded_llm_metadata_keys),
            }
        )
        return kind(node=copied, score=ranked.score)


def _query(bundle: QueryBundle | None) -> str | QueryBundle:
    """The query text, or the bundle if it has only an image."""
    if bundle is None:
        raise InputError("The query is missing: pass query_bundle or query_str.")
    return bundle if bundle.image_path and not bundle.query_str else bundle.query_str


def _with_score_key(keys: list[str]) -> list[str]:
    return keys if RETRIEVAL_SCORE in keys else [*keys, RETRIEVAL_SCORE]
