"""Reranking, as steps: any number of documents in, their order and scores out, whatever one call can see.

A listwise model scores a list as a whole, so its scores compare within one call only, and paging through a long list would
mix scores that mean different things. Here every order that matters comes from one call. Nothing here sends or waits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from typing import Literal

from .endpoints import describe, known_endpoint
from .errors import ConfigurationError, InputError
from .inputs import check_texts
from .models import RerankModel, find_model
from .wire import EndpointInfo, Steps, ask, rerank

__all__ = ["WINDOW_SIZE", "Ranked", "Ranking", "Reranker", "Strategy"]

Strategy = Literal["auto", "pages", "two_stage", "sliding"]

WINDOW_SIZE = 64  # documents that jina-reranker-v3 sees together (arXiv 2509.25085)
HEADS = 8  # least that a block sends on; more of them changed nothing that could be measured (benchmarks/rerank_quality.py)

# Estimates, because the tokenizer is the model's secret: they decide about splitting and warning, never about content.
CHARACTERS_PER_TOKEN = 4.0
CJK_CHARACTERS_PER_TOKEN = 1.5
QUERY_TOKENS = 512  # where the published code of jina-reranker-v3 cuts the query, which its prompt holds twice
FRAME_TOKENS = 256  # instructions of the prompt
DOCUMENT_FRAME_TOKENS = 16  # markup around a document

_CJK = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


@dataclass(frozen=True, slots=True)
class Ranked:
    """A document's place in a ranking.

    Attributes:
        index: Its position in the list that was given.
        score: The model's own relevance score; that of a listwise model lies between -1 and 1.
        preliminary: The score comes from a call that did not see the best documents. The place is right as far as the
            model could tell, but the score compares with no other one of the ranking.
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
        window_size: Most documents in a call.
        strategy: What to do with more documents than that; see `JinaEISRerank` of either framework.
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
            score_threshold: Leave out documents with a lower score.

        Raises:
            InputError: an empty query, top_n below 1, or a document that is not a string.
        """
        if not isinstance(query, str) or not query.strip():
            raise InputError("The query is empty: say what the documents should be relevant for.")
        if top_n is not None and top_n < 1:
            raise InputError(f"top_n={top_n}: ask for at least one document, or None for all.")
        check_texts(documents)
        return self._rank(query, documents, top_n, score_threshold)

    def _rank(self, query: str, documents: Sequence[str], top_n: int | None, score_threshold: float | None) -> Steps[Ranking]:
        if not documents:
            return Ranking([])
        model = self._model((yield from describe(self.inference_id)))
        task = _Task(self, query, documents, self._window(model, query, documents))
        ranked = yield from self._way(task, model)
        passed = [one for one in ranked if score_threshold is None or one.score >= score_threshold]
        return Ranking(passed[:top_n], _notice(model, documents))

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

    def _window(self, model: RerankModel | None, query: str, documents: Sequence[str]) -> int:
        """Documents of a call: the window, or as many of the longest as the model's shared context holds."""
        if model is None or not model.listwise:
            return self.window_size
        room = model.context - FRAME_TOKENS - 2 * min(_tokens(query), QUERY_TOKENS)
        longest = sorted((_read(model, document) + DOCUMENT_FRAME_TOKENS for document in documents), reverse=True)
        return max(2, sum(total <= room for total in accumulate(longest[: self.window_size])))


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
        """Blocks side by side, then the heads of all blocks together; and so on until they fit one call.

        Documents are dealt to the blocks like cards, so that each block has its share of the best of the first stage.
        """
        left: Sequence[int] = range(len(self.documents))
        behind: list[Ranked] = []
        while len(left) > self.window:
            count = -(-len(left) // self.window)
            blocks = yield from self._round([left[first::count] for first in range(count)])
            # As many heads as one call holds, but from many blocks no fewer than a good block may have.
            heads = max(self.window, count * min(HEADS, self.window // 2))
            shares = [heads // count + (block < heads % count) for block in range(count)]
            left = sorted(one.index for block, share in zip(blocks, shares, strict=True) for one in block[:share])
            places = zip_longest(*([None] * share + block[share:] for block, share in zip(blocks, shares, strict=True)))
            behind = [_preliminary(one) for place in places for one in place if one] + behind
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


def _sorted(ranked: Iterable[Ranked]) -> list[Ranked]:
    return sorted(ranked, key=lambda one: (-one.score, one.index))


def _preliminary(one: Ranked) -> Ranked:
    return Ranked(one.index, one.score, preliminary=True)


def _tokens(text: str) -> int:
    wide = 0 if text.isascii() else sum(map(len, _CJK.findall(text)))
    return math.ceil(wide / CJK_CHARACTERS_PER_TOKEN + (len(text) - wide) / CHARACTERS_PER_TOKEN)


def _read(model: RerankModel, document: str) -> int:
    """Tokens of the document that the model reads."""
    return min(_tokens(document), model.document_tokens or model.context)


def _notice(model: RerankModel | None, documents: Sequence[str]) -> str | None:
    if model is None or not (limit := model.document_tokens):
        return None
    over = [index for index, document in enumerate(documents) if _tokens(document) > limit]
    if not over:
        return None
    more = f" and {len(over) - 1} more" if over[1:] else ""
    return (
        f"Document {over[0]}{more} of {len(documents)} may be longer than the {limit:,} tokens that {model.name} reads of a "
        f"document; the rest would not be seen. Split documents into passages of at most about {limit * 3:,} characters first."
    )
