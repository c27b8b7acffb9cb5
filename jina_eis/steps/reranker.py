"""Reranking, as steps: any number of documents in, their order and scores out, whatever one call can see.

A listwise model scores a list as a whole, so its scores compare within one call only, and paging through a long list would
mix scores that mean different things. Here every order that matters comes from one call. Nothing here sends or waits.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile, zip_longest
from typing import Literal

from ..contents import check_texts
from ..errors import ConfigurationError, InputError
from ..models import RerankModel, find_model
from ..wire import EndpointInfo, Steps, ask, rerank
from .endpoints import describe_endpoint, known_endpoint

__all__ = ["PRELIMINARY", "WINDOW_SIZE", "Ranked", "Ranking", "Reranker", "Strategy"]

Strategy = Literal["auto", "pages", "two_stage", "sliding"]

PRELIMINARY = "relevance_score_preliminary"  # the key that marks a preliminary score where a framework keeps metadata
WINDOW_SIZE = 64  # documents that jina-reranker-v3 sees together (arXiv 2509.25085)
# Least documents that a block sends on. In benchmarks/rerank_quality.py, 8 lose less than 0.01 of the ten best documents of a
# query; 12 or 16 cost more calls, and gained at most 0.7 points of nDCG@10, at about 500 candidates.
HEADS = 8

# Estimates, because the tokenizer is the model's secret: they decide about splitting and warning, never about content.
CHARACTERS_PER_TOKEN = 4.0
CJK_CHARACTERS_PER_TOKEN = 1.5
QUERY_TOKENS = 512  # where the published code of jina-reranker-v3 cuts the query, which its prompt holds twice
FRAME_TOKENS = 256  # instructions of the prompt
DOCUMENT_FRAME_TOKENS = 16  # markup around a document

_CJK = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]+")


@dataclass(frozen=True, slots=True)
class Ranked:
    """A document's place in a ranking.

    Attributes:
        index: Its position in the list that was given.
        score: The model's own relevance score; that of a listwise model lies between -1 and 1.
        preliminary: The document was not in the last call. Its place is right as far as the model could tell, but its score
            compares with no other one of the ranking.
    """

    index: int
    score: float
    preliminary: bool = False


@dataclass(frozen=True, slots=True)
class Ranking:
    """What came of reranking.

    Attributes:
        documents: Best first, each at most once. Equal scores keep the order in which the documents were given.
        notice: What the user should know about the documents, if anything.
    """

    documents: list[Ranked]
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class Reranker:
    """How documents are ranked. Valid if it exists, as far as the endpoint is known without asking.

    Args:
        inference_id: An endpoint of task `rerank`.
        window_size: Most documents in a call. Fewer are sent where long ones would overflow the model's shared context.
        strategy: What to do with more documents than that, N of them in windows of w:

            - `pages`: ceil(N/w) calls side by side.
            - `two_stage`: those and one more, side by side but for the last; a further round if there are more than w/8 blocks.
              The first min(8, w/2) places are those that one unlimited call would give, if its scores compared; those after
              them too unless many of the best are dealt to one block.
            - `sliding`: 1 + ceil((N-w)/(w/2)) calls, one after the other. The same is true of the first w/2 places.
            - `auto`: pages for a pointwise model, else two stages.
        timeout: Seconds that the service may take for a request.

    Raises:
        ConfigurationError: an endpoint that does not rerank, a window that the model does not take, or `pages` for a
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
        """The best documents. No document, no call. What is asked is checked before any step is taken.

        Args:
            query: What they should be relevant for.
            documents: Any number of texts.
            top_n: Most documents to return; None for all.
            score_threshold: End the ranking before the first document with a lower score. What follows it is less relevant,
                even where a preliminary score is higher.

        Raises:
            InputError: an empty query, a top_n that is no number from 1, or a document that is not a string.
        """
        if not isinstance(query, str) or not query.strip():
            raise InputError("The query is empty: say what the documents should be relevant for.")
        if top_n is not None and (not isinstance(top_n, int) or top_n < 1):
            raise InputError(f"top_n={top_n!r}: ask for at least one document, or None for all.")
        check_texts(documents)
        return self._rank(query, documents, top_n, score_threshold)

    def _rank(self, query: str, documents: Sequence[str], top_n: int | None, score_threshold: float | None) -> Steps[Ranking]:
        if not documents:
            return Ranking([])
        model = self._model((yield from describe_endpoint(self.inference_id)))
        lengths = [_tokens(document) for document in documents]
        task = _Task(self, query, documents, self._window(model, _tokens(query), lengths))
        ranked = yield from self._way(task, model)
        if score_threshold is not None:
            ranked = list(takewhile(lambda one: one.score >= score_threshold, ranked))
        return Ranking(ranked[:top_n], _notice(model, documents, lengths))

    def _model(self, endpoint: EndpointInfo) -> RerankModel | None:
        """The endpoint's model, if it is in the table."""
        if endpoint.task != "rerank":
            raise ConfigurationError(
                f"{endpoint.inference_id} is an endpoint for {endpoint.task} and ranks nothing. Use a reranker's endpoint."
            )
        model = find_model(endpoint.model_id or "")
        if not isinstance(model, RerankModel):
            return None
        if model.window and self.window_size > model.window:
            raise ConfigurationError(
                f"window_size={self.window_size}: {model.name} takes at most {model.window} documents in a call. "
                "More documents are ranked all the same, in several calls."
            )
        if model.listwise and self.strategy == "pages":
            raise ConfigurationError(
                f'strategy="pages": {model.name} is listwise, its scores compare within one call only, and sorting pages by '
                'them ranks worse than not at all. Use "auto".'
            )
        return model

    def _way(self, task: _Task, model: RerankModel | None) -> Steps[list[Ranked]]:
        # A model that is not in the table may be listwise; two stages are right for either kind.
        pointwise = model is not None and not model.listwise
        if self.strategy == "pages" or (self.strategy == "auto" and pointwise):
            return task.pages()
        return task.sliding() if self.strategy == "sliding" else task.two_stage()

    def _window(self, model: RerankModel | None, query: int, lengths: Sequence[int]) -> int:
        """Documents of a call: the window, or as many of the longest as the model's shared context holds."""
        if model is None or not model.listwise:
            return self.window_size
        room = model.context - FRAME_TOKENS - 2 * min(query, QUERY_TOKENS)
        read = sorted((min(length, model.document_tokens or model.context) for length in lengths), reverse=True)
        totals = accumulate(length + DOCUMENT_FRAME_TOKENS for length in read[: self.window_size])
        return max(2, sum(total <= room for total in totals))


@dataclass(frozen=True, slots=True)
class _Task:
    """One query, its documents, and the ways to rank them with calls of at most `window` documents."""

    reranker: Reranker
    query: str
    documents: Sequence[str]
    window: int

    def pages(self) -> Steps[list[Ranked]]:
        """Each document once, sorted by score: right where a score depends on nothing but its document."""
        everything = range(len(self.documents))
        pages = yield from self._round([everything[first : first + self.window] for first in everything[:: self.window]])
        return _sorted(one for page in pages for one in page)

    def two_stage(self) -> Steps[list[Ranked]]:
        """Blocks side by side, then the heads of all blocks together; and so on until they fit one call."""
        left: Sequence[int] = range(len(self.documents))
        behind: list[Ranked] = []
        while len(left) > self.window:
            count = -(-len(left) // self.window)
            blocks = yield from self._round(_dealt(left, count))
            places = ([one for one in place if one] for place in zip_longest(*blocks))
            order = [one for place in places for one in sorted(place, key=lambda one: one.index)]
            # As many heads as one call holds, but from many blocks no fewer than a good block may have.
            heads = max(self.window, count * min(HEADS, self.window // 2))
            left = sorted(one.index for one in order[:heads])
            behind = [_preliminary(one) for one in order[heads:]] + behind
        (best,) = yield from self._round([left])
        return best + behind

    def sliding(self) -> Steps[list[Ranked]]:
        """A window moves from the end to the front by half its size, and carries the better half of what it sees along."""
        order: list[int] = list(range(len(self.documents)))
        latest: dict[int, Ranked] = {}
        start, step = max(0, len(order) - self.window), self.window // 2
        while True:
            (window,) = yield from self._round([order[start : start + self.window]])
            order[start : start + self.window] = [one.index for one in window]
            latest.update((one.index, one) for one in window)
            if start == 0:
                return window + [_preliminary(latest[index]) for index in order[len(window) :]]
            start = max(0, start - step)

    def _round(self, blocks: Sequence[Sequence[int]]) -> Steps[list[list[Ranked]]]:
        """One call for each block; each block sorted."""
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


def _dealt(indices: Sequence[int], count: int) -> list[list[int]]:
    """The documents dealt like cards, so that every block has its share of the best of the first stage.

    Who gets which card of a round is left to chance, always the same one: a list that alternates between sources, as
    merged retrievers give it, must not end as one block for each source.
    """
    chance = random.Random(len(indices))
    blocks: list[list[int]] = [[] for _ in range(count)]
    for first in range(0, len(indices), count):
        for block, index in zip(chance.sample(blocks, count), indices[first : first + count], strict=False):
            block.append(index)
    return blocks


def _sorted(ranked: Iterable[Ranked]) -> list[Ranked]:
    return sorted(ranked, key=lambda one: (-one.score, one.index))


def _preliminary(one: Ranked) -> Ranked:
    return Ranked(one.index, one.score, preliminary=True)


def _tokens(text: str) -> int:
    wide = 0 if text.isascii() else sum(map(len, _CJK.findall(text)))
    return math.ceil(wide / CJK_CHARACTERS_PER_TOKEN + (len(text) - wide) / CHARACTERS_PER_TOKEN)


def _notice(model: RerankModel | None, documents: Sequence[str], lengths: Sequence[int]) -> str | None:
    if model is None or not (limit := model.document_tokens):
        return None
    over = [index for index, length in enumerate(lengths) if length > limit]
    if not over:
        return None
    more = f" and {len(over) - 1} more" if over[1:] else ""
    safe = int(0.75 * limit * len(documents[over[0]]) / lengths[over[0]]) // 100 * 100  # characters, a quarter below the estimate
    return (
        f"Document {over[0]}{more} of {len(documents)} may be longer than the {limit:,} tokens that {model.name} reads of a "
        f"document; the rest would not be seen. Split documents like it into passages of at most about {safe:,} characters."
    )
