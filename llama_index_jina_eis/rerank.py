"""`JinaEISRerank`: LlamaIndex's node postprocessor over the shared core."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, ClassVar

from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

from jina_eis.adapters import RerankSettings
from jina_eis.errors import InputError
from jina_eis.steps import PRELIMINARY, Ranked
from jina_eis.wire import Steps

from .plugin import Plugin

__all__ = ["JinaEISRerank"]

dispatcher = get_dispatcher(__name__)

RETRIEVAL_SCORE = "retrieval_score"


class JinaEISRerank(Plugin, RerankSettings, BaseNodePostprocessor):
    """Jina rerankers on the Elastic Inference Service (EIS), for any number of nodes.

    Args:
        inference_id: The inference endpoint, preconfigured or your own; also taken as `model`. Default: `.jina-reranker-v3`.
        top_n: Nodes to return; None for all. Default: 3.
        score_threshold: End before the first node that the model scores lower. Scores of a listwise model lie between -1 and
            1 and depend on the other nodes: find the threshold on your own data. Default: None.
        keep_retrieval_score: Give the nodes as copies with the score they came with in `metadata["retrieval_score"]`, which
            neither an embedding model nor an LLM gets to see. Default: False.
        metadata_mode: Which metadata the reranker reads before the text. Default: that for embedding models.
        window_size: Most nodes in a request, fewer where long ones would overflow the model's context. Default: 64, which
            jina-reranker-v3 and v3.5 see together (arXiv 2509.25085).
        strategy: What to do with more nodes than that. Requests for 64, 100, 200, 500 and 1,000 nodes, in windows of 64:

            - "two_stage": blocks side by side, then the best of all blocks in one request: 1, 3, 5, 9 and 19, in at most
              3 rounds. Right for every model; sure of the first 8 places, and of the others nearly always.
            - "sliding": a window moves from the end to the front: 1, 3, 6, 15 and 31, one after the other. Right for
              every model, slower; sure of the first 32 places.
            - "pages": each node once, sorted by score: 1, 2, 4, 8 and 16, all side by side. Right for pointwise models alone,
              and refused for models that are known to be listwise.
            - "auto" (default): "pages" for jina-reranker-v2, "two_stage" for any other.

    es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client, timeout, max_retries and max_concurrency are
    described at `ServiceSettings`. An argument that does not exist is an error.

    With more nodes than `window_size` and a listwise model, one last request ranks the best of all blocks, and its scores
    compare. Whatever follows is in order too, but its scores stem from requests with other nodes and compare with none: such
    nodes are copies marked with `metadata["relevance_score_preliminary"] = True`, unseen by models. The reranker reads text:
    a node without any, such as a bare image, is ranked as an empty one.

    One object serves any number of threads and event loops. Dictionaries, JSON and the representation hold no secrets;
    pickles do, and need an object that was made without a client of yours.

    Raises:
        ConfigurationError: (also a ValueError) arguments that cannot work, when the object is made, or on first use for
            what only the deployment knows.
        InputError: (also a ValueError) no query or an empty one; no event was emitted and nothing has been sent.
        JinaEISError: what the service answered, typed; see `jina_eis.errors`. It names the nodes that the failed request
            held.

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
        return self._run(self._reranked(nodes, query_bundle))

    @dispatcher.span
    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return await self._arun(self._reranked(nodes, query_bundle))

    def _reranked(self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None) -> Steps[list[NodeWithScore]]:
        if query_bundle is None:
            raise InputError("There is no query: pass query_bundle or query_str.")
        query, nodes = query_bundle.query_str, list(nodes)
        texts = [node.node.get_content(metadata_mode=self.metadata_mode) for node in nodes]
        steps = self._rank(query, texts, self.top_n)
        if not nodes:
            return []
        top_n = self.top_n or len(nodes)
        dispatcher.event(ReRankStartEvent(query=query_bundle, nodes=nodes, top_n=top_n, model_name=self.inference_id))
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.inference_id,
            EventPayload.QUERY_STR: query,
            EventPayload.TOP_K: top_n,
        }
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            ranked = yield from steps
            reranked = [self._scored(nodes[one.index], one) for one in ranked]
            event.on_end(payload={EventPayload.NODES: reranked})
        dispatcher.event(ReRankEndEvent(nodes=reranked))
        return reranked

    def _scored(self, node: NodeWithScore, ranked: Ranked) -> NodeWithScore:
        noted: dict[str, Any] = {
            **({RETRIEVAL_SCORE: node.score} if self.keep_retrieval_score else {}),
            **({PRELIMINARY: True} if ranked.preliminary else {}),
        }
        plain = node.node
        if not noted and PRELIMINARY not in plain.metadata:
            return NodeWithScore(node=plain, score=ranked.score)
        kept = {key: value for key, value in plain.metadata.items() if key != PRELIMINARY}  # which an earlier ranking left
        copied = plain.model_copy(
            update={
                "metadata": {**kept, **noted},
                "excluded_embed_metadata_keys": _with(plain.excluded_embed_metadata_keys, noted),
                "excluded_llm_metadata_keys": _with(plain.excluded_llm_metadata_keys, noted),
            }
        )
        return NodeWithScore(node=copied, score=ranked.score)


def _with(keys: list[str], more: dict[str, Any]) -> list[str]:
    return [*keys, *(key for key in more if key not in keys)]
