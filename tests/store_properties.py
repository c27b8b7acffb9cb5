"""Properties of `JinaEISVectorStore` that hold on the embedded EIS and on the real Elasticsearch.

The modules that import these tests have a fixture `url` each.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.structured_query import Comparator, Comparison, FilterDirective, Operation, Operator

from langchain_jina_eis import JinaEISTranslator, JinaEISVectorStore

__all__ = [
    "store",
    "test_any_order_of_adds_and_deletes_equals_a_dict",
    "test_filters_equal_set_algebra",
    "test_mmr_in_the_server_and_on_the_client_chooses_the_same",
    "test_structured_queries_equal_set_algebra",
]

Metadata = dict[str, Any]
STRINGS = st.sampled_from(["en", "EN", "de", "two words", "wörter", "a-b", "2024-01-02", "True", "7"])
NUMBERS = st.integers(-2, 2)
VALUES: dict[str, st.SearchStrategy[Any]] = {"lang": STRINGS, "year": NUMBERS, "draft": st.booleans()}
METADATAS = st.lists(
    st.fixed_dictionaries(
        {}, optional={name: st.one_of(value, st.lists(value, max_size=3), st.none()) for name, value in VALUES.items()}
    ),
    min_size=1,
    max_size=12,
)
PLAIN = st.lists(
    st.fixed_dictionaries(
        {}, optional={name: st.one_of(value, st.lists(value, max_size=3), st.none()) for name, value in VALUES.items()}
    ).filter(bool),
    min_size=1,
    max_size=8,
)
FEW = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


@pytest.fixture
def store(url: str) -> Iterator[JinaEISVectorStore]:
    """A store with vectors of 32 numbers."""
    store = JinaEISVectorStore(index_name=f"test-{uuid.uuid4().hex}", es_url=url, field_type="dense_vector", dimensions=32, k=100)
    yield store
    store.delete_index(missing_ok=True)
    store.close()


def refill(store: JinaEISVectorStore, metadatas: list[Metadata]) -> None:
    store.delete_index(missing_ok=True)
    store.add_texts([f"text {n}" for n in range(len(metadatas))], metadatas, ids=map(str, range(len(metadatas))), refresh=True)


def found(store: JinaEISVectorStore, filter_: Any) -> set[int]:
    return {int(str(document.id)) for document in store.similarity_search("text", filter=filter_)}


def values(metadata: Metadata, name: str) -> list[Any]:
    value = metadata.get(name)
    return [] if value is None else value if isinstance(value, list) else [value]


def matches(metadata: Metadata, plain: Metadata) -> bool:
    def one(name: str, wanted: Any) -> bool:
        own = values(metadata, name)
        return not own if wanted is None else any(value in own for value in (wanted if isinstance(wanted, list) else [wanted]))

    return all(one(name, wanted) for name, wanted in plain.items())


@FEW
@given(metadatas=METADATAS, plain=PLAIN)
def test_filters_equal_set_algebra(store: JinaEISVectorStore, metadatas: list[Metadata], plain: list[Metadata]) -> None:
    refill(store, metadatas)
    for filter_ in plain:
        assert found(store, filter_) == {n for n, metadata in enumerate(metadatas) if matches(metadata, filter_)}, filter_


def comparisons() -> st.SearchStrategy[FilterDirective]:
    whole = [Comparator.EQ, Comparator.NE]
    ordered = [*whole, Comparator.GT, Comparator.GTE, Comparator.LT, Comparator.LTE]
    listed = [Comparator.IN, Comparator.NIN]
    return st.one_of(
        [
            st.builds(lambda c, v, name=name: Comparison(comparator=c, attribute=name, value=v), st.sampled_from(kinds), value)
            for name, one in VALUES.items()
            for kinds, value in (
                (whole if name == "draft" else ordered, one),
                (listed, st.lists(one, min_size=1, max_size=3)),
            )
        ]
    )


TREES = st.recursive(
    comparisons(),
    lambda inner: st.builds(
        lambda operator, arguments: Operation(operator=operator, arguments=arguments),
        st.sampled_from(list(Operator)),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


def satisfies(metadata: Metadata, tree: FilterDirective) -> bool:
    if isinstance(tree, Operation):
        parts = [satisfies(metadata, argument) for argument in tree.arguments]
        return {Operator.AND: all(parts), Operator.OR: any(parts), Operator.NOT: not any(parts)}[tree.operator]
    assert isinstance(tree, Comparison)
    own = values(metadata, tree.attribute)
    wanted = tree.value
    return {
        Comparator.EQ: lambda: wanted in own,
        Comparator.NE: lambda: wanted not in own,
        Comparator.GT: lambda: any(value > wanted for value in own),
        Comparator.GTE: lambda: any(value >= wanted for value in own),
        Comparator.LT: lambda: any(value < wanted for value in own),
        Comparator.LTE: lambda: any(value <= wanted for value in own),
        Comparator.IN: lambda: any(value in own for value in wanted),
        Comparator.NIN: lambda: not any(value in own for value in wanted),
    }[tree.comparator]()


@FEW
@given(metadatas=METADATAS, trees=st.lists(TREES, min_size=1, max_size=8))
def test_structured_queries_equal_set_algebra(
    store: JinaEISVectorStore, metadatas: list[Metadata], trees: list[FilterDirective]
) -> None:
    refill(store, metadatas)
    for tree in trees:
        filter_ = tree.accept(JinaEISTranslator())
        assert found(store, filter_) == {n for n, metadata in enumerate(metadatas) if satisfies(metadata, tree)}, filter_


ONE_ID = st.integers(0, 5)
STEPS = st.one_of(
    st.tuples(st.just("add"), st.lists(st.tuples(ONE_ID, st.integers(0, 2)), max_size=4)),
    st.tuples(st.just("delete"), st.lists(ONE_ID, max_size=4)),
)


@FEW
@given(steps=st.lists(STEPS, max_size=6), refresh=st.sampled_from([True, "wait_for"]))
def test_any_order_of_adds_and_deletes_equals_a_dict(store: JinaEISVectorStore, steps: list[Any], refresh: Any) -> None:
    store.delete_index(missing_ok=True)
    expected: dict[str, Document] = {}
    for step, given_ in steps:
        if step == "delete":
            store.delete(map(str, given_), refresh=refresh)
            expected = {id_: document for id_, document in expected.items() if int(id_) not in given_}
            continue
        documents = [Document(id=str(n), page_content=f"text {v}", metadata={"version": v}) for n, v in given_]
        assert store.add_documents(documents, refresh=refresh) == [document.id for document in documents]
        expected.update({str(document.id): document for document in documents})
    assert {document.id: document for document in store.get_by_ids([str(n) for n in range(6)])} == expected
    assert {document.id: document for document in store.similarity_search("text")} == expected


@pytest.mark.parametrize("lambda_mult", [0, 0.2, 0.5, 0.8, 1])
def test_mmr_in_the_server_and_on_the_client_chooses_the_same(url: str, lambda_mult: float) -> None:
    dice = np.random.default_rng(0)
    centres = dice.normal(size=(4, 32))
    vectors = [centres[n % 4] + 0.4 * dice.normal(size=32) for n in range(40)]
    queries = [centres[n % 4] + dice.normal(size=32) for n in range(5)]

    def chosen(**settings: Any) -> list[list[str | None]]:
        name = f"test-{uuid.uuid4().hex}"
        with JinaEISVectorStore(index_name=name, es_url=url, field_type="dense_vector", **settings) as store:
            store.add_embeddings(
                [(f"text {n}", vector) for n, vector in enumerate(vectors)], ids=map(str, range(40)), refresh=True
            )
            found = [
                store.max_marginal_relevance_search_by_vector(query, k=6, fetch_k=25, lambda_mult=lambda_mult)
                for query in queries
            ]
            store.delete_index()
        return [[document.id for document in documents] for documents in found]

    in_server = chosen()
    assert chosen(index_settings={"index.mapping.exclude_source_vectors": False}) == in_server  # which diversify cannot read
    assert all(len(ids) == 6 for ids in in_server)
