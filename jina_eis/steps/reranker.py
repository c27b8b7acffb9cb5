"""Reranking, as steps: ranks any number of documents with one endpoint.

The strategies are in `windows`. This module decides what is sent, how much of it in one call, and what is reported about
documents that were cut or that come twice. Nothing here sends or waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal

from ..contents import Content, Medium, Part, check_texts, holds_url
from ..errors import ConfigurationError, InputError
from ..models import RerankModel, find_model
from ..wire import Call, EndpointInfo, Steps, rerank
from .compatibility import check_rankable
from .embedder import BATCH_BYTES, PASS_URLS
from .endpoints import describe_endpoint, known_endpoint
from .lengths import TooLong, notice_of
from .relevance import check_reachable
from .tokens import cut, least_tokens, tokens
from .version import require, with_feature
from .windows import Ranked, Windows

__all__ = ["PRELIMINARY", "WINDOW_SIZE", "Ranking", "Reranker", "Strategy"]

Strategy = Literal["auto", "pages", "two_stage", "sliding"]

PRELIMINARY = "relevance_score_preliminary"  # the metadata key that marks a preliminary score in a framework's documents
WINDOW_SIZE = 64  # documents that jina-reranker-v3 sees together (arXiv 2509.25085), and the default for unknown models
# For a listwise model without a limit. 500 candidates take 5 calls; with 256, 3, each of which takes up to four times as long,
# because the time grows with the square of the tokens of a call. benchmarks/rerank_quality.py compares their quality.
LARGE_WINDOW_SIZE = 128
# Tokens of text in a request, by the high estimate of `tokens`, which is at least 0.75 of the real number. The service refuses
# more than 200,000 tokens by its own estimate, which real text reaches from about 160,000 [measured on jina-reranker-v3.5].
BUDGET = 120_000
DOCUMENT_FRAME_TOKENS = 16  # markup around a document


@dataclass(frozen=True, slots=True)
class Ranking:
    """The result of reranking.

    Attributes:
        documents: Best first, each at most once. Equal scores keep the order of the input.
        notice: A warning about the documents, if any.
    """

    documents: list[Ranked]
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class Reranker:
    """Ranks documents with one endpoint. Valid if it exists, as far as the table of models knows the endpoint.

    Args:
        inference_id: An endpoint of task `rerank`.
        window_size: Maximum documents in a call; None for the model's own, 64 or 128. Fewer are sent if they hold more than
            120,000 tokens together, by an estimate that is rather too high, or more than 4 MB of images.
        strategy: How N documents are ranked in windows of w, if N exceeds w:

            - `pages`: ceil(N/w) concurrent calls.
            - `two_stage`: the same and one more, which comes last; sometimes a further round, if there are more than w/8 blocks.
              The first min(8, w/2) places are those of one unlimited call, if its scores compared. So are the places after
              them, unless many of the best documents are dealt to one block. At least w/2 places are from the last call.
            - `sliding`: 1 + ceil((N-w)/(w/2)) consecutive calls. The same is true of the first w/2 places.
            - `auto`: pages for a pointwise model, else two stages.
        timeout: Seconds that the service may take for a request.
        too_long: What to do if the model does not read all of the query or of a document: a notice, an InputError, or nothing.

    Raises:
        ConfigurationError: an endpoint that does not rerank, a window that is too large for the model, or `pages` for a
            listwise model.
    """

    inference_id: str
    window_size: int | None = None
    strategy: Strategy = "auto"
    timeout: float = 60.0
    too_long: TooLong = "warn"

    def __post_init__(self) -> None:
        if endpoint := known_endpoint(self.inference_id):
            self._model(endpoint)

    def rank(
        self, query: Content, documents: Sequence[Content], *, top_n: int | None = None, score_threshold: float | None = None
    ) -> Steps[Ranking]:
        """Return the best documents. Without documents it makes no call. The arguments are checked before the first step.

        A document that comes several times is sent once, and each of its positions has its score.

        Args:
            query: The text or image that documents should be relevant to.
            documents: Any number of texts and images.
            top_n: Maximum documents to return; None for all. Ranks beyond half a window may be preliminary: their scores come
                from other calls, and do not compare with those of the first ranks.
            score_threshold: The ranking ends before the first document with a lower score, which may be a preliminary one. The
                documents after it are less relevant, even if a preliminary score is higher.

        Raises:
            InputError: an empty query, a top_n that is not a number from 1, an input that the model does not rank, or, if
                too_long is "error", one of which it does not read everything.
        """
        if not isinstance(query, (str, Medium, tuple)) or (isinstance(query, str) and not query.strip()):
            raise InputError("The query is empty. Pass the text that documents should be relevant to.")
        if top_n is not None and (not isinstance(top_n, int) or top_n < 1):
            raise InputError(f"top_n={top_n!r}: pass a number from 1, or None for all documents.")
        for position, document in enumerate(documents):
            if not isinstance(document, (Medium, tuple)):
                check_texts([document], position)
        check_rankable(known_endpoint(self.inference_id), query, documents)
        return self._rank(query, documents, top_n, score_threshold)

    def _rank(
        self, query: Content, documents: Sequence[Content], top_n: int | None, score_threshold: float | None
    ) -> Steps[Ranking]:
        if not documents:
            return Ranking([])
        endpoint = yield from describe_endpoint(self.inference_id)
        model = self._model(endpoint)
        check_reachable("score_threshold", score_threshold, model)
        checked_query, checked = check_rankable(endpoint, query, documents)
        by_url = any(map(holds_url, (checked_query, *checked)))
        if by_url:
            yield from require(*PASS_URLS)
        notice = None if self.too_long == "ignore" else _too_long(model, checked_query, checked)
        if notice and self.too_long == "error":
            raise InputError(notice)
        sent = _cut(model, checked)
        positions: dict[Part, list[int]] = {}
        for position, document in enumerate(sent):
            positions.setdefault(document, []).append(position)
        unique = {places[0]: places for places in positions.values()}
        unsent = set(unique)

        def score(block: Sequence[int]) -> Call[list[float]]:
            texts_and_images = [sent[index] for index in block]
            call = rerank(endpoint.inference_id, checked_query, texts_and_images, timeout=self.timeout, inputs=block)
            call = replace(call, new_inputs=len(unsent.intersection(block)))
            unsent.difference_update(block)
            return with_feature(call, *PASS_URLS) if by_url else call

        pointwise = model is not None and not model.listwise
        query_cost = _cost(checked_query)
        costs = [0] * len(sent)
        for index in unique:
            costs[index] = _cost(sent[index]) + DOCUMENT_FRAME_TOKENS + (query_cost if pointwise else 0)
        # A model that is not in the table may be listwise; two stages are right for either kind.
        auto: Literal["pages", "two_stage"] = "pages" if pointwise else "two_stage"
        windows = Windows(
            auto if self.strategy == "auto" else self.strategy,
            score,
            costs,
            self.window_size or _window_size(model),
            max(1, BUDGET - query_cost),
        )
        ranked = _with_repeated((yield from windows.rank([*unique])), unique)
        if score_threshold is not None:
            ranked = list(takewhile(lambda document: document.score >= score_threshold, ranked))
        return Ranking(ranked[:top_n], notice)

    def _model(self, endpoint: EndpointInfo) -> RerankModel | None:
        """Return the endpoint's model, if it is in the table. Raises ConfigurationError for settings that do not fit it."""
        if endpoint.task != "rerank":
            raise ConfigurationError(
                f"{endpoint.inference_id} is an endpoint for {endpoint.task} and does not rerank. Use an endpoint for rerank."
            )
        model = find_model(endpoint.model_id or "")
        if not isinstance(model, RerankModel):
            return None
        if model.window and (self.window_size or 0) > model.window:
            raise ConfigurationError(
                f"window_size={self.window_size}: {model.name} takes at most {model.window} documents in a call. Choose fewer; "
                "any number of documents is ranked, in several calls."
            )
        if model.listwise and self.strategy == "pages":
            raise ConfigurationError(
                f'strategy="pages": {model.name} is listwise, its scores compare within one call only, and sorting pages by '
                'them ranks worse than no reranking. Use "auto".'
            )
        return model


def _window_size(model: RerankModel | None) -> int:
    """Return how many documents a call holds, unless the user sets it."""
    if model is not None and model.listwise and model.window is None:
        return LARGE_WINDOW_SIZE
    return model.window if model and model.window else WINDOW_SIZE


def _cost(part: Part) -> int:
    """Return the share of a text or image in the budget of a request, in tokens.

    Whether the service counts images is not known. Their size is limited as in embedding requests.
    """
    return tokens(part) if isinstance(part, str) else max(1, part.encoded_size * BUDGET // BATCH_BYTES)


def _with_repeated(ranked: list[Ranked], unique: dict[int, list[int]]) -> list[Ranked]:
    """Return the ranking with all positions of each document. Equal scores of the last call keep the order of the input."""
    complete = [replace(document, index=index) for document in ranked for index in unique[document.index]]
    final = [document for document in complete if not document.preliminary]
    return sorted(final, key=lambda document: (-document.score, document.index)) + complete[len(final) :]


def _too_long(model: RerankModel | None, query: Content, documents: Sequence[Part]) -> str | None:
    """Return the notice about the query, or else the documents, of which the model does not read everything."""
    if model is None:
        return None
    text = query if isinstance(query, str) else ""
    if notice := notice_of([text], model.query_tokens or model.context, model.name, lambda _: "The query"):
        return notice
    if limit := _document_limit(model, text):
        return notice_of(documents, limit, model.name, lambda index: f"Document {index}", len(documents))
    return None


def _document_limit(model: RerankModel, query: str = "") -> int | None:
    """Return the tokens of a document that the model reads; of a pointwise model, those that the query leaves."""
    if model.document_tokens or model.listwise:
        return model.document_tokens
    return max(1, model.context - int(least_tokens(query)))


def _cut(model: RerankModel | None, documents: Sequence[Part]) -> Sequence[Part]:
    """Return the documents as they are sent: without what the model certainly does not read."""
    if model is None or not model.cut_tokens:
        return documents
    limit = model.cut_tokens
    return [cut(document, limit) if isinstance(document, str) and len(document) > limit else document for document in documents]
