"""`JinaEISTranslator`: the structured queries of LangChain's `SelfQueryRetriever`, as Elasticsearch queries."""

from __future__ import annotations

from typing import Any

from langchain_core.structured_query import Comparator, Comparison, Operation, Operator, StructuredQuery, Visitor

from jina_eis.errors import ConfigurationError

__all__ = ["JinaEISTranslator"]

_RANGES = {Comparator.GT: "gt", Comparator.GTE: "gte", Comparator.LT: "lt", Comparator.LTE: "lte"}
_CLAUSES = {Operator.AND: "must", Operator.OR: "should", Operator.NOT: "must_not"}


class JinaEISTranslator(Visitor):
    """Translates the filters that a language model writes for a `JinaEISVectorStore`.

    Use:
        ```python
        retriever = SelfQueryRetriever.from_llm(
            llm, store, "Facts", attributes, structured_query_translator=JinaEISTranslator()
        )
        ```

    `eq`, `ne`, `in` and `nin` compare whole values; where a document has a list, one of its elements. `contain` finds an element
    of a list, or all words of a text; `like` finds all words. `ne` and `nin` also match documents without the
    attribute. Dates are compared as they are written, so write them as ISO 8601.

    Args:
        exact: Suffix of the field with a whole string. The default fits indices that `JinaEISVectorStore` creates. For those
            of `ElasticsearchStore`, pass `exact=".keyword", words=""`.
        words: Suffix of the field with the words of a string.

    Raises:
        ConfigurationError: a comparison with a list by another comparator than `in` and `nin`.
    """

    allowed_comparators = tuple(Comparator)
    allowed_operators = tuple(Operator)

    def __init__(self, exact: str = "", words: str = ".text") -> None:
        self.exact = exact
        self.words = words

    def visit_operation(self, operation: Operation) -> dict[str, Any]:
        """Return the query of an operation: and, or, or not (none of its arguments)."""
        queries = [argument.accept(self) for argument in operation.arguments]
        return {"bool": {_CLAUSES[operation.operator]: queries}}

    def visit_comparison(self, comparison: Comparison) -> dict[str, Any]:
        """Return the query of a comparison of one attribute."""
        field, value, comparator = f"metadata.{comparison.attribute}", _plain(comparison.value), comparison.comparator
        if isinstance(value, list) != (comparator in (Comparator.IN, Comparator.NIN)):
            raise ConfigurationError(
                f"{comparison.attribute}: {comparator.value} compares with "
                f"{'one value' if isinstance(value, list) else 'a list'}, not with {value!r}. Lists belong to in and nin."
            )
        if comparator in _RANGES:
            return {"range": {field + self._suffix(comparison.value): {_RANGES[comparator]: value}}}
        whole = {"term": {field + self._suffix(comparison.value): value}}
        if isinstance(value, list):
            whole = {"terms": {field + self._suffix(value[0] if value else None): value}}
        if comparator in (Comparator.NE, Comparator.NIN):
            return {"bool": {"must_not": [whole]}}
        words = {"match": {field + self.words: {"query": value, "operator": "and"}}}
        if comparator is Comparator.LIKE:
            return words
        if comparator is Comparator.CONTAIN and isinstance(value, str):
            return {"bool": {"should": [whole, words]}}
        return whole

    def visit_structured_query(self, structured_query: StructuredQuery) -> tuple[str, dict[str, Any]]:
        """Return the text to search for, and the arguments of the search: the filter, if there is one."""
        if structured_query.filter is None:
            return structured_query.query, {}
        return structured_query.query, {"filter": structured_query.filter.accept(self)}

    def _suffix(self, value: Any) -> str:
        """Return the suffix of the field to compare with; dates and numbers need none."""
        return self.exact if isinstance(value, str) else ""


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; LangChain's parser returns a dict for a date."""
    if isinstance(value, dict):
        return value.get("date", value.get("datetime"))
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
