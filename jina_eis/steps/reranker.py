"""Reranking, as steps: ranks any number of documents with calls of limited size.

A listwise model scores a list as a whole, so its scores compare within one call only. Sorting the scores of several calls
together would mix scores that do not compare. Here the final order of the best documents comes from one call.
Nothing here sends or waits.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, takewhile, zip_longest
from typing import Literal

from ..contents import check_texts
from ..errors import ConfigurationError, InputError
from ..models import RerankModel, find_model
from ..wire import EndpointInfo, Steps, ask, rerank
from .endpoints import describe_endpoint, known_endpoint

__all__ = ["PRELIMINARY", "WINDOW_SIZE", "Ranked", "Ranking", "Reranker", "Strategy"]

Strategy = Literal["auto", "pages", "two_stage", "sliding"]

PRELIMINARY = "relevance_score_preliminary"  # the metadata key that marks a preliminary score in a framework's documents
WINDOW_SIZE = 64  # documents that jina-reranker-v3 sees together (arXiv 2509.25085)
# Minimum number of documents that a block passes on. In benchmarks/rerank_quality.py, 8 lose less than 0.01 of the ten best
# documents of a query; 12 or 16 cost more calls, and gained at most 0.7 points of nDCG@10, at about 500 candidates.
HEADS = 8

# Estimates, because the tokenizer is not available. They decide about splitting and warnings, never about content.
CHARACTERS_PER_TOKEN = 4.0
CJK_CHARACTERS_PER_TOKEN = 1.5
QUERY_TOKENS = 512  # at which the published code of jina-reranker-v3 truncates the query; its prompt holds the query twice
FRAME_TOKENS = 256  # instructions of the prompt
DOCUMENT_FRAME_TOKENS = 16  # markup around a document

_CJK = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]+")


@dataclass(frozen=True, slots=True)
class Ranked:
    """The place of a document in a ranking.

    Attributes:
        index: Its position in the input.
        score: The model's own relevance score; that of a listwise model lies between -1 and 1.
        preliminary: The document was not in the last call. Its place is the best estimate of the model, but its score does not
            compare with others of the ranking.
    """

    index: int
    score: float
    preliminary: bool = False


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
        window_size: Maximum documents in a call. Fewer are sent if long ones would exceed the model's shared context.
        strategy: How N documents are ranked in windows of w, if N exceeds w:

            - `pages`: ceil(N/w) concurrent calls.
            - `two_stage`: the same and one more, which comes last; a further round if there are more than w/8 blocks.
              The first min(8, w/2) places are those of one unlimited call, if its scores compared. So are the places after
              them, unless many of the best documents are dealt to one block.
            - `sliding`: 1 + ceil((N-w)/(w/2)) consecutive calls. The same is true of the first w/2 places.
            - `auto`: pages for a pointwise model, else two stages.
        timeout: Seconds that the service may take for a request.

    Raises:
        ConfigurationError: an endpoint that does not rerank, a window that is too large for the model, or `pages` for a
            listwise model.
    """

    inference_id: str
    window_size: int = WINDOW_SIZE
    strategy: Strategy = "auto"
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if endpoint := known_endpoint(self.inference_id):
            self._model(endpoint)

    def rank(
        self, query: str, documents: Sequence[str], *, top_n: int | None = None, score_threshold: float | None = None
    ) -> Steps[Ranking]:
        """Return the best documents. Without documents it makes no call. The arguments are checked before the first step.

        Args:
            query: The query that documents should be relevant to.
            documents: Any number of texts.
            top_n: Maximum documents to return; None for all.
            score_threshold: The ranking ends before the first document with a lower score. The documents after it are less
                relevant, even if a preliminary score is higher.

        Raises:
            InputError: an empty query, a top_n that is not a number from 1, or a document that is not a string.
        """
        if not isinstance(query, str) or not query.strip():
            raise InputError("The query is empty. Pass the text that documents should be relevant to.")
        if top_n is not None and (not isinstance(top_n, int) or top_n < 1):
            raise InputError(f"top_n={top_n!r}: pass a number from 1, or None for all documents.")
        check_texts(documents)
        return self._rank(query, documents, top_n, score_threshold)

    def _rank(self, query: str, documents: Sequence[str], top_n: int | None, score_threshold: float | None) -> Steps[Ranking]:
        if not documents:
            return Ranking([])
        endpoint = yield from describe_endpoint(self.inference_id)
        model = self._model(endpoint)
        lengths = [_tokens(document) for document in documents]
        task = _Task(
            replace(self, inference_id=endpoint.inference_id), query, documents, self._window(model, _tokens(query), lengths)
        )
        ranked = yield from self._rank_by_strategy(task, model)
        if score_threshold is not None:
            ranked = list(takewhile(lambda document: document.score >= score_threshold, ranked))
        return Ranking(ranked[:top_n], _notice(model, documents, lengths))

    def _model(self, endpoint: EndpointInfo) -> RerankModel | None:
        """Return the endpoint's model, if it is in the table. Raises ConfigurationError for settings that do not fit it."""
        if endpoint.task != "rerank":
            raise ConfigurationError(
                f"{endpoint.inference_id} is an endpoint for {endpoint.task} and does not rerank. Use an endpoint for rerank."
            )
        model = find_model(endpoint.model_id or "")
        if not isinstance(model, RerankModel):
            return None
        if model.window and self.window_size > model.window:
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

    def _rank_by_strategy(self, task: _Task, model: RerankModel | None) -> Steps[list[Ranked]]:
        # A model that is not in the table may be listwise; two stages are right for either kind.
        pointwise = model is not None and not model.listwise
        if self.strategy == "pages" or (self.strategy == "auto" and pointwise):
            return task.pages()
        return task.sliding() if self.strategy == "sliding" else task.two_stage()

    def _window(self, model: RerankModel | None, query: int, lengths: Sequence[int]) -> int:
        """Return the documents of a call: the window, or as many of the longest as fit into the model's shared context."""
        if model is None or not model.listwise:
            return self.window_size
        available = model.context - FRAME_TOKENS - 2 * min(query, QUERY_TOKENS)
        read = sorted((min(length, model.document_tokens or model.context) for length in lengths), reverse=True)
        totals = accumulate(length + DOCUMENT_FRAME_TOKENS for length in read[: self.window_size])
        return max(2, sum(total <= available for total in totals))


@dataclass(frozen=True, slots=True)
class _Task:
    """One query with its documents, and the strategies to rank them with calls of at most `window` documents."""

    reranker: Reranker
    query: str
    documents: Sequence[str]
    window: int

    def pages(self) -> Steps[list[Ranked]]:
        """Score each document once, and sort by score. Correct if scores do not depend on the other documents."""
        everything = range(len(self.documents))
        pages = yield from self._round([everything[first : first + self.window] for first in everything[:: self.window]])
        return _sorted(document for page in pages for document in page)

    def two_stage(self) -> Steps[list[Ranked]]:
        """Rank blocks concurrently, then the heads of all blocks together. Repeat until they fit into one call."""
        remaining: Sequence[int] = range(len(self.documents))
        tail: list[Ranked] = []
        while len(remaining) > self.window:
            count = -(-len(remaining) // self.window)
            blocks = yield from self._round(_deal(remaining, count))
            places = ([document for document in place if document] for place in zip_longest(*blocks))
            order = [document for place in places for document in sorted(place, key=lambda document: document.index)]
            # As many heads as one call holds; from many blocks, at least as many of each as may be among the best.
            heads = max(self.window, count * min(HEADS, self.window // 2))
            remaining = sorted(document.index for document in order[:heads])
            tail = [_preliminary(document) for document in order[heads:]] + tail
        (best,) = yield from self._round([remaining])
        return best + tail

    def sliding(self) -> Steps[list[Ranked]]:
        """Move a window from the end to the front by half its size. Its better half moves along with it."""
        order: list[int] = list(range(len(self.documents)))
        latest: dict[int, Ranked] = {}
        start, step = max(0, len(order) - self.window), self.window // 2
        while True:
            (window,) = yield from self._round([order[start : start + self.window]])
            order[start : start + self.window] = [document.index for document in window]
            latest.update((document.index, document) for document in window)
            if start == 0:
                return window + [_preliminary(latest[index]) for index in order[len(window) :]]
            start = max(0, start - step)

    def _round(self, blocks: Sequence[Sequence[int]]) -> Steps[list[list[Ranked]]]:
        """Make one call for each block. Returns each block sorted."""
        answers = yield from ask(
            rerank(
                self.reranker.inference_id,
                self.query,
                [self.documents[index] for index in block],
                timeout=self.reranker.timeout,
                inputs=block,
            )
            for block in blocks
        )
        return [_sorted(map(Ranked, block, scores)) for block, scores in zip(blocks, answers, strict=True)]


def _deal(indices: Sequence[int], count: int) -> list[list[int]]:
    """Deal the documents like cards, so that each block has its share of the best documents of the first stage.

    In each round of dealing, the blocks are shuffled, with a fixed seed. Otherwise a list that alternates between sources, as
    from merged retrievers, would give each source a block of its own.
    """
    generator = random.Random(len(indices))
    blocks: list[list[int]] = [[] for _ in range(count)]
    for first in range(0, len(indices), count):
        for block, index in zip(generator.sample(blocks, count), indices[first : first + count], strict=False):
            block.append(index)
    return blocks


def _sorted(ranked: Iterable[Ranked]) -> list[Ranked]:
    return sorted(ranked, key=lambda document: (-document.score, document.index))


def _preliminary(document: Ranked) -> Ranked:
    return Ranked(document.index, document.score, preliminary=True)


def _tokens(text: str) -> int:
    wide = 0 if text.isascii() else sum(map(len, _CJK.findall(text)))
    return math.ceil(wide / CJK_CHARACTERS_PER_TOKEN + (len(text) - wide) / CHARACTERS_PER_TOKEN)


def _notice(model: RerankModel | None, documents: Sequence[str], lengths: Sequence[int]) -> str | None:
    if model is None or not (limit := model.document_tokens):
        return None
    too_long = [index for index, length in enumerate(lengths) if length > limit]
    if not too_long:
        return None
    first = too_long[0]
    more = f" and {len(too_long) - 1} more" if too_long[1:] else ""
    safe = int(0.75 * limit * len(documents[first]) / lengths[first]) // 100 * 100  # characters, a quarter below the estimate
    return (
        f"Document {first}{more} of {len(documents)} may be longer than the {limit:,} tokens that {model.name} reads of a "
        f"document; the rest would be ignored. Split such documents into passages of at most about {safe:,} characters."
    )
