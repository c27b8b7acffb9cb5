"""Reranking steps, run by hand: the calls, and the ranking from their responses."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from by_hand import feed
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.contents import Medium
from jina_eis.errors import ConfigurationError, InputError, InvalidAnswerError, RequestTooLargeError
from jina_eis.steps.reranker import BUDGET, Ranking, Reranker, Strategy
from jina_eis.steps.tokens import tokens
from jina_eis.steps.windows import Ranked
from jina_eis.wire.call import Call

V2, V3, V35 = ".jina-reranker-v2-base-multilingual", ".jina-reranker-v3", ".jina-reranker-v3.5"
M0 = ".jina-reranker-m0"
OWN = {"endpoints": [{"inference_id": "own", "task_type": "rerank", "service": "cohere", "service_settings": {"model_id": "x"}}]}
Answer = Callable[[Call[Any]], Any]


def scored(score: Callable[[str], float]) -> Answer:
    """A model whose scores depend only on the document. Best first, as the service responds."""

    def answer(call: Call[Any]) -> Any:
        if call.method == "GET":
            return OWN
        items = [{"index": index, "relevance_score": score(text)} for index, text in enumerate(call.body["input"])]
        return {"rerank": sorted(items, key=lambda item: -item["relevance_score"])}

    return answer


def shifted(score: Callable[[str], float]) -> Answer:
    """A listwise model: each call has its own offset, so that scores of two calls do not compare."""
    offsets = random.Random(0)

    def answer(call: Call[Any]) -> Any:
        offset = offsets.uniform(-100, 100)
        return scored(lambda text: score(text) + offset)(call)

    return answer


def ranking(answer: Answer, documents: list[str], query: str = "q", **options: Any) -> tuple[Ranking, list[list[Call[Any]]]]:
    limits = {name: options.pop(name) for name in ("top_n", "score_threshold") if name in options}
    result, rounds = feed(Reranker(options.pop("inference_id", V3), **options).rank(query, documents, **limits), answer)
    return result, [calls for calls in rounds if calls[0].method == "POST"]


def bound(number: int, window: int) -> int:
    """Maximum calls of two stages: one for each block, and those for 8 heads of each or for all that one call holds."""
    if number <= window:
        return 1
    blocks = math.ceil(number / window)
    return blocks + bound(max(window, blocks * min(8, window // 2)), window)


STRATEGIES: list[tuple[str, Strategy]] = [
    (V3, "auto"),
    (V35, "two_stage"),
    (V3, "sliding"),
    (V2, "auto"),
    ("own", "pages"),
    ("own", "auto"),
]


@pytest.mark.parametrize("answer_as", [scored, shifted])
@pytest.mark.parametrize(("inference_id", "strategy"), STRATEGIES)
@given(data=st.data(), number=st.integers(1, 700), window=st.integers(2, 64))
def test_every_document_is_ranked_once_and_the_best_come_first(
    answer_as: Any, inference_id: str, strategy: Strategy, data: st.DataObject, number: int, window: int
) -> None:
    top_n = data.draw(st.none() | st.integers(1, number))
    documents = [str(n) for n in range(number)]
    random.Random(data.draw(st.integers(0, 2**32))).shuffle(documents)  # from one number: to draw 700 takes most of the time
    paged = strategy == "pages" or inference_id == V2
    answer = scored(float) if paged else answer_as(float)
    result, rounds = ranking(answer, documents, inference_id=inference_id, strategy=strategy, window_size=window, top_n=top_n)
    indices = [document.index for document in result.documents]
    assert len(indices) == len(set(indices)) == (top_n or number)
    assert set(indices) <= set(range(number))

    best = sorted(range(number), key=lambda index: -float(documents[index]))
    exact = number if paged or number <= window else -(-window // 2) if strategy == "sliding" else min(8, window // 2)
    assert indices[:exact] == best[:exact][: len(indices)]

    calls = [call for calls in rounds for call in calls]
    assert all(1 <= len(call.body["input"]) <= window for call in calls)
    max_calls = math.ceil(number / window) if paged else bound(number, window)
    if strategy == "sliding":
        max_calls = 1 + math.ceil(max(0, number - window) / (window // 2))
    assert len(calls) <= max_calls

    compared = {index for call in (calls if paged else rounds[-1]) for index in call.inputs or ()}
    final = [document for document in result.documents if not document.preliminary]
    assert result.documents[: len(final)] == final
    assert {document.index for document in final} <= compared
    whole = paged or strategy == "sliding" or number <= window
    assert len(final) >= min(len(indices), len(compared) if whole else len(compared) // 2)
    scores = [document.score for document in final]
    assert scores == sorted(scores, reverse=True)
    if len(final) < len(indices):  # the last call ranks the rest of its documents lower
        lowest = float(documents[final[-1].index])
        assert all(float(documents[index]) < lowest for index in compared.difference(indices[: len(final)]))


@pytest.mark.parametrize(
    ("inference_id", "window", "strategy", "calls"),
    [
        (V3, None, "auto", [1, 3, 5, 9, 19]),
        (V35, None, "auto", [1, 1, 3, 5, 9]),
        (V35, 64, "two_stage", [1, 3, 5, 9, 19]),
        (V35, 200, "two_stage", [1, 1, 1, 4, 6]),
        ("own", None, "auto", [1, 3, 5, 9, 19]),
        (V3, None, "sliding", [1, 3, 6, 15, 31]),
        (V35, None, "sliding", [1, 1, 3, 7, 15]),
        (V2, None, "auto", [1, 2, 4, 8, 16]),
        (M0, None, "auto", [1, 2, 4, 8, 16]),
    ],
)
def test_the_number_of_calls_of_a_strategy(inference_id: str, window: int | None, strategy: Strategy, calls: list[int]) -> None:
    needed = []
    for number in (64, 100, 200, 500, 1000):
        documents = [f"{n} a sentence of some words " * 7 for n in range(number)]
        first_word = scored(lambda text: float(text.split()[0]))
        _, rounds = ranking(first_word, documents, inference_id=inference_id, strategy=strategy, window_size=window)
        needed.append(sum(map(len, rounds)))
        assert len(rounds) <= (3 if strategy != "sliding" else 99)
    assert needed == calls


@pytest.mark.parametrize(("inference_id", "strategy"), STRATEGIES)
@given(st.integers(0, 300), st.integers(2, 64))
def test_equal_scores_keep_the_order_of_the_input(inference_id: str, strategy: Strategy, number: int, window: int) -> None:
    documents = [f"{n % 70}" for n in range(number)]  # some come several times
    result, _ = ranking(scored(lambda _: 0.5), documents, inference_id=inference_id, strategy=strategy, window_size=window)
    final = [document.index for document in result.documents if not document.preliminary]
    assert final == sorted(final)
    assert sorted(document.index for document in result.documents) == list(range(number))


def test_a_document_that_comes_several_times_is_sent_once() -> None:
    documents = ["0.1", "0.7", "0.1", "0.3", "0.7", "0.1"]
    result, ((call,),) = ranking(scored(float), documents)
    assert call.body["input"] == ["0.1", "0.7", "0.3"]
    assert list(call.inputs or ()) == [0, 1, 3]
    assert result.documents == [Ranked(index, float(documents[index])) for index in (1, 4, 3, 0, 2, 5)]
    assert len(ranking(scored(float), documents, top_n=2)[0].documents) == 2
    repeated = [str(n % 100) for n in range(1_000)]
    result, rounds = ranking(scored(float), repeated, inference_id=V35)
    assert sum(map(len, rounds)) == 1
    assert [document.index % 100 for document in result.documents] == [99 - n // 10 for n in range(1_000)]
    long = " ".join(["word"] * 20_000)
    result, ((call,),) = ranking(scored(len), [long + " one", long + " two"], inference_id=V35)  # equal as far as they are sent
    assert len(call.body["input"]) == 1
    assert [document.index for document in result.documents] == [0, 1]


def test_documents_outside_the_last_call_are_ordered_by_their_place_in_a_block() -> None:
    documents = [str(n) for n in range(8)]
    offsets: dict[int, float] = {}

    def answer(call: Call[Any]) -> Any:
        offset = 0 if len(offsets) == 8 else 100 * (0 in (call.inputs or ()))
        offsets.update(dict.fromkeys(call.inputs or (), offset))
        return scored(lambda text: float(text) + offset)(call)

    result, rounds = ranking(answer, documents, window_size=4)
    blocks = [list(call.inputs or ()) for call in rounds[0]]
    assert sorted(blocks[0] + blocks[1]) == list(range(8))
    assert [len({index // 2 for index in block}) for block in blocks] == [4, 4]  # one of each pair
    heads = sorted(blocks[0][-2:] + blocks[1][-2:])  # a higher index is better
    assert [list(call.inputs or ()) for call in rounds[1]] == [heads]
    places = [(document.index, document.score, document.preliminary) for document in result.documents]
    assert places[:4] == [(index, index, False) for index in reversed(heads)]
    seconds, lasts = sorted([blocks[0][1], blocks[1][1]]), sorted([blocks[0][0], blocks[1][0]])
    assert places[4:] == [(index, index + offsets[index], True) for index in seconds + lasts]


def test_a_list_that_alternates_between_sources_loses_no_good_document() -> None:
    for number, sources in ((200, 4), (500, 4), (500, 8), (1000, 16)):
        good = [n for n in range(number) if n % sources == 0]  # all good documents are of one source
        result, _ = ranking(shifted(float), [str(n) if n in good else str(-n) for n in range(number)])
        assert [document.index for document in result.documents[:20]] == good[::-1][:20]


def test_the_threshold_is_compared_with_the_models_own_scores() -> None:
    result, _ = ranking(scored(float), ["-0.2", "0.4", "-0.1", "0.1"], score_threshold=-0.1, top_n=2)
    assert [(document.index, document.score) for document in result.documents] == [(1, 0.4), (3, 0.1)]
    result, _ = ranking(scored(float), ["-0.2", "0.4", "-0.1", "0.1"], score_threshold=-0.1)
    assert [document.index for document in result.documents] == [1, 3, 2]


def test_the_ranking_ends_at_the_threshold_even_before_higher_preliminary_scores() -> None:
    documents = [str(n / 1000) for n in range(100)]

    def answer(call: Call[Any]) -> Any:
        return scored(lambda text: float(text) + (0.2 if len(call.body["input"]) == 50 else 0))(call)

    result, _ = ranking(answer, documents, score_threshold=0.09)
    assert [document.index for document in result.documents] == list(range(99, 89, -1))
    result, _ = ranking(answer, documents, score_threshold=0.5)
    assert result.documents == []


SENTENCES = {
    "Latin": "All human beings are born free and equal. ",
    "CJK": "人人生而自由,在尊严和权利上一律平等。",
    "code": "x = f(1, [y])\n",
}


@pytest.mark.parametrize("script", SENTENCES)
@pytest.mark.parametrize(("inference_id", "strategy"), STRATEGIES)
def test_no_call_is_over_the_budget(inference_id: str, strategy: Strategy, script: str) -> None:
    generator = random.Random(1)
    documents = [f"{n} " + SENTENCES[script] * (generator.randint(1, 60_000) // tokens(SENTENCES[script])) for n in range(60)]
    result, rounds = ranking(scored(lambda text: float(text.split()[0])), documents, inference_id=inference_id, strategy=strategy)
    assert sorted(document.index for document in result.documents) == list(range(60))
    for call in (call for calls in rounds for call in calls):
        texts = call.body["input"]
        assert len(texts) == 1 or sum(map(tokens, texts)) + tokens("q") <= BUDGET
        for text in texts:
            original = documents[int(text.split()[0])]
            assert text == original or (inference_id == V35 and original.startswith(text))
    assert result.documents[0].index == 59


def test_a_hundred_documents_of_16_000_tokens_are_ranked() -> None:
    document = SENTENCES["Latin"] * 1_800  # 9 tokens each
    documents = [f"{n} {document}" for n in range(100)]
    by_number = scored(lambda text: float(text.split()[0]))
    result, rounds = ranking(by_number, documents, inference_id=V35)
    assert [found.index for found in result.documents[:2]] == [99, 98]
    assert sum(map(len, rounds)) <= 40
    assert all(9_000 <= len(text) / len(SENTENCES["Latin"]) * 9 < 13_000 for text in rounds[0][0].body["input"])
    assert "Document 0 and 99 more of 100 are longer than the 8,192 tokens" in (result.notice or "")
    result, _ = ranking(by_number, documents)
    assert [found.index for found in result.documents[:1]] == [99]


@pytest.mark.parametrize(("inference_id", "strategy"), STRATEGIES)
def test_a_call_that_the_service_finds_too_large_is_divided(inference_id: str, strategy: Strategy) -> None:
    def answer(call: Call[Any]) -> Any:
        if call.method == "POST" and len(call.body["input"]) > 20:
            raise RequestTooLargeError("estimated total tokens exceed the maximum limit of 200,000")
        return scored(float)(call)

    result, _ = ranking(answer, [str(n) for n in range(150)], inference_id=inference_id, strategy=strategy)
    assert sorted(document.index for document in result.documents) == list(range(150))
    assert [document.index for document in result.documents[:8]] == list(range(149, 141, -1))


def test_the_notice_names_documents_that_the_model_does_not_read_to_the_end() -> None:
    documents = ["short", SENTENCES["Latin"] * 400, SENTENCES["CJK"] * 400, "short"]
    notice = ranking(scored(len), documents)[0].notice
    assert notice == (
        "Document 1 and 1 more of 4 are longer than the 2,048 tokens that jina-reranker-v3 reads; it ignores the rest. "
        "The first has about 4,100. Split such texts into passages of at most about 5,900 characters."
    )
    notice = ranking(scored(len), documents[2:])[0].notice
    assert notice
    assert notice.startswith("Document 0 of 2 is longer than the 2,048 tokens")
    assert notice.endswith("of at most about 2,900 characters.")
    assert ranking(scored(len), ["short", SENTENCES["Latin"] * 150])[0].notice is None
    assert "1,024 tokens" in (ranking(scored(len), documents, inference_id=V2)[0].notice or "")
    assert "10,240 tokens" in (ranking(scored(len), ["x", SENTENCES["Latin"] * 2_000], inference_id=M0)[0].notice or "")
    assert ranking(scored(len), documents, inference_id=V35)[0].notice is None
    assert ranking(scored(len), documents, inference_id="own")[0].notice is None


def test_the_notice_names_a_query_that_the_model_does_not_read_to_the_end() -> None:
    query = SENTENCES["Latin"] * 300
    for inference_id, limit in ((V2, "1,024"), (V3, "512")):
        notice = ranking(scored(len), ["short"], query, inference_id=inference_id)[0].notice
        assert (notice or "").startswith(f"The query is longer than the {limit} tokens")
    assert ranking(scored(len), ["short"], query, inference_id=V35)[0].notice is None
    short = ranking(scored(len), ["x", SENTENCES["Latin"] * 120], SENTENCES["Latin"] * 120, inference_id=V2)[0].notice
    assert "tokens that jina-reranker-v2" in (short or "")  # a pair has 1,024 tokens
    assert "1,024 tokens" not in (short or "")


def test_what_is_too_long_can_be_an_error_or_ignored() -> None:
    documents = ["short", SENTENCES["Latin"] * 400]
    with pytest.raises(InputError, match="Document 1 of 2 is longer than the 2,048 tokens"):
        feed(Reranker(V3, too_long="error").rank("q", documents), lambda _: pytest.fail("a request was sent"))
    assert feed(Reranker(V3, too_long="ignore").rank("q", documents), scored(len))[0].notice is None


PNG_BYTES = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000400000004008060000000000000000000049454e44ae426082")
PNG = Medium.from_bytes(PNG_BYTES, name="a.png")


def test_images_are_sent_as_objects() -> None:
    def answer(call: Call[Any]) -> Any:
        body = call.with_body().body
        return {"rerank": [{"index": index, "relevance_score": index} for index in range(len(body["input"]))]}

    result, rounds = feed(Reranker(M0).rank("a dog", ["text", PNG]), answer)
    item = {"type": "image", "format": "base64", "value": PNG.data_uri()}
    assert [call.with_body().body for call in rounds[0]] == [
        {"query": "a dog", "input": [{"type": "text", "value": "text"}, item]}
    ]
    assert [document.index for document in result.documents] == [1, 0]
    _, rounds = feed(Reranker(M0).rank(PNG, ["text", "other"]), answer)
    assert [call.with_body().body for call in rounds[0]] == [{"query": item, "input": ["text", "other"]}]
    large = [Medium.from_bytes(PNG_BYTES + bytes(1_000_000), name=str(n)) for n in range(5)]  # 1.3 MB each, in base64
    _, rounds = feed(Reranker(M0).rank("q", large), answer)
    assert [len(call.inputs or ()) for call in rounds[0]] == [3, 2]


@pytest.mark.parametrize("inference_id", [V2, V3, V35])
def test_a_model_for_texts_refuses_images_and_names_one_that_ranks_them(inference_id: str) -> None:
    problem = rf"Input 1 is an image, but {inference_id} ranks only texts\. Use \.jina-reranker-m0\."
    with pytest.raises(InputError, match=problem):
        Reranker(inference_id).rank("q", ["a", PNG])
    with pytest.raises(InputError, match="The query is an image"):
        Reranker(inference_id).rank(PNG, ["a"])
    sound = Medium.from_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40))
    with pytest.raises(InputError, match=r"Input 0 is a sound, but \.jina-reranker-m0 ranks only texts and images\. No reranker"):
        Reranker(M0).rank("q", [sound])
    with pytest.raises(InputError, match=r"Input 0 consists of 2 parts\. A reranker scores single texts and images"):
        Reranker(M0).rank("q", [("a", PNG)])


def test_a_users_own_endpoint_is_described_before_it_is_called() -> None:
    result, rounds = feed(Reranker("own").rank("q", ["1", "2"]), scored(float))
    assert [call.method for calls in rounds for call in calls] == ["GET", "POST"]
    assert [document.index for document in result.documents] == [1, 0]
    embedding = {"endpoints": [{**OWN["endpoints"][0], "task_type": "text_embedding"}]}
    with pytest.raises(ConfigurationError, match="own is an endpoint for text_embedding and does not rerank"):
        feed(Reranker("own").rank("q", ["1"]), lambda _: embedding)
    listwise = {"endpoints": [{**OWN["endpoints"][0], "service_settings": {"model_id": "jina-reranker-v3"}}]}
    with pytest.raises(ConfigurationError, match="listwise"):
        feed(Reranker("own", strategy="pages").rank("q", ["1"]), lambda _: listwise)


@pytest.mark.parametrize("inference_id", [V3, V35])
def test_pages_of_a_listwise_model_are_refused(inference_id: str) -> None:
    with pytest.raises(ConfigurationError, match=r"compare within one call only.*Use \"auto\""):
        Reranker(inference_id, strategy="pages")


def test_an_endpoint_that_does_not_rerank_and_a_window_that_is_too_large_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="does not rerank"):
        Reranker(".jina-embeddings-v5-text-small")
    with pytest.raises(ConfigurationError, match="window_size=65: jina-reranker-v3 takes at most 64 documents"):
        Reranker(V3, window_size=65)
    assert Reranker(V2, window_size=1000)


@pytest.mark.parametrize("query", ["", " \n", None, 3])
def test_an_empty_query_is_refused_before_the_first_step(query: Any) -> None:
    with pytest.raises(InputError, match="query is empty"):
        Reranker(V3).rank(query, [])


def test_invalid_input_is_refused_before_the_first_step() -> None:
    for top_n in (0, 1.5, "2"):
        with pytest.raises(InputError, match=f"top_n={top_n!r}: pass a number from 1"):
            Reranker(V3).rank("q", ["a"], top_n=top_n)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="Input 1 is None, not a string"):
        Reranker(V3).rank("q", ["a", None])  # type: ignore[list-item]
    assert feed(Reranker("own").rank("q", []), scored(float)) == (Ranking([]), [])


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([(0, 0.1), (1, 0.1), (2, 0.1)], "ranks document 2 of a request, which has only 2 documents"),
        ([(0, 0.1), (-1, 0.1)], "ranks document -1 of a request"),
        ([(0, 0.1), (0, 0.2)], "ranks document 0 twice"),
        ([(0, 0.1)], "ranks 1 of 2 documents; document 1 is missing"),
        ([(0, 0.1), (1, math.nan)], "relevance score of document 1 is not a finite number"),
        ([(0, 0.1), (1, None)], "no index or no relevance score"),
        ([], "document 0 is missing"),
    ],
)
def test_a_response_that_is_not_a_ranking_is_an_error(items: list[tuple[int, Any]], problem: str) -> None:
    answer = {"rerank": [{"index": index, "relevance_score": score} for index, score in items]}
    with pytest.raises(InvalidAnswerError, match=problem):
        feed(Reranker(V3).rank("q", ["a", "b"]), lambda _: answer)


def test_the_error_for_an_invalid_response_has_the_position_in_the_users_list() -> None:
    def answer(call: Call[Any]) -> Any:
        body = scored(float)(call)
        return {"rerank": [item for item in body["rerank"] if call.body["input"][item["index"]] != "77"]}

    with pytest.raises(InvalidAnswerError, match="document 77 is missing"):
        ranking(answer, [str(n) for n in range(100)])
