"""Queries of the embedded EIS beside those of Elasticsearch 9.5.3: each answer below is what the real node gave.

A dict is the found documents by id with their scores; a text is the type of the error. `not_implemented_exception` is the local
EIS's own.
"""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("uvicorn")

from collections.abc import Iterator

from elasticsearch import ApiError, Elasticsearch

from jina_eis.local import LocalEIS
from jina_eis.local.indices import terms

HEADERS = {"accept": "application/json", "content-type": "application/json"}
Json = dict[str, Any]
NOT_IMPLEMENTED = "not_implemented_exception"

# By name: the fields, the documents 1, 2, .., and pairs of a query and its answer.
CASES: dict[str, tuple[Json, list[Json], list[tuple[Any, Any]]]] = {
    "korean": (
        {"t": {"type": "text"}},
        [{"t": "한국의 수도는 서울이다."}, {"t": "나는 점심을 한다."}, {"t": "서울"}],
        [
            ({"match": {"t": "한국의"}}, {"1": 0.8781843}),
            ({"match": {"t": "서울"}}, {"3": 1.2800651}),
            ({"match": {"t": "한다"}}, {"2": 0.8781843}),
            ({"match": {"t": "한국"}}, {}),
        ],
    ),
    "asian": (
        {"t": {"type": "text"}},
        [{"t": "バージョン9の新機能"}, {"t": "データABC"}, {"t": "スマホ5台"}, {"t": "ปี2024"}, {"t": "ไทยNBT"}, {"t": "ខ្មែរ១២៣"}],
        [
            ({"match": {"t": "バージョン"}}, {"1": 1.0571127}),
            ({"match": {"t": "ABC"}}, {"2": 1.7511443}),
            ({"match": {"t": "データ"}}, {"2": 1.7511443}),
            ({"match": {"t": "スマホ"}}, {"3": 1.5042465}),
            ({"match": {"t": "2024"}}, {"4": 1.7511443}),
            ({"match": {"t": "NBT"}}, {"5": 1.7511443}),
            ({"match": {"t": "ខ្មែរ"}}, {"6": 1.7511443}),
        ],
    ),
    "capitals": (
        {"t": {"type": "text"}},
        [{"t": "İstanbul"}, {"t": "Istanbul"}, {"t": "istanbul"}, {"t": "ΟΔΟΣ"}, {"t": "οδος"}],
        [
            ({"match": {"t": "istanbul"}}, {"1": 0.5389965, "2": 0.5389965, "3": 0.5389965}),
            ({"match": {"t": "İstanbul"}}, {"1": 0.5389965, "2": 0.5389965, "3": 0.5389965}),
            ({"match": {"t": "οδος"}}, {"5": 1.3862942}),
            ({"match": {"t": "ΟΔΟΣ"}}, {"4": 1.3862942}),
        ],
    ),
    "emoji": (
        {"t": {"type": "text"}},
        [
            {"t": "I ❤️ NY"},
            {"t": "coffee ☕ break"},
            {"t": "done ✅"},
            {"t": "🇩🇪 Berlin"},
            {"t": "👩\u200d🚀 in space"},
            {"t": "👩 here"},
            {"t": "👍🏽 ok"},
            {"t": "👍"},
            {"t": "Acme™"},
        ],
        [
            ({"match": {"t": "❤️"}}, {"1": 1.6595087}),
            ({"match": {"t": "☕"}}, {"2": 1.6595087}),
            ({"match": {"t": "✅"}}, {"3": 1.9780397}),
            ({"match": {"t": "🇩🇪"}}, {"4": 1.9780397}),
            ({"match": {"t": "👩"}}, {"6": 1.9780397}),
            ({"match": {"t": "👩\u200d🚀"}}, {"5": 1.6595087}),
            ({"match": {"t": "🚀"}}, {}),
            ({"match": {"t": "👍"}}, {"8": 2.447897}),
            ({"match": {"t": "™"}}, {"9": 1.9780397}),
        ],
    ),
    "invisible": (
        {"t": {"type": "text"}},
        [
            {"t": "من می\u200cخواهم"},
            {"t": "خواهم رفت"},
            {"t": "ශ්\u200dරී ලංකාව"},
            {"t": "රී"},
            {"t": "Donau\xaddampf\xadschiff"},
            {"t": "Dampf und Schiff"},
        ],
        [
            ({"match": {"t": "خواهم"}}, {"2": 1.48521}),
            ({"match": {"t": "می\u200cخواهم"}}, {"1": 1.48521}),
            ({"match": {"t": "රී"}}, {"4": 1.8923234}),
            ({"match": {"t": "schiff"}}, {"6": 1.2222548}),
        ],
    ),
    "several_words": (
        {"t": {"type": "text"}},
        [{"t": "ice melts"}, {"t": "bread rises slowly"}, {"t": "ice and bread"}, {"t": "ice ice baby"}],
        [
            ({"match": {"t": {"query": "ice", "minimum_should_match": 2}}}, NOT_IMPLEMENTED),
            ({"match": {"t": "ice ice bread"}}, {"3": 1.3560649, "4": 0.9564027, "1": 0.8029333, "2": 0.6682933}),
            ({"match": {"t": {"query": "ice bread", "operator": "and"}}}, {"3": 1.0121791}),
            ({"match": {"t": {"query": "ice", "operator": "AND"}}}, NOT_IMPLEMENTED),
            ({"match": {"t": {"query": "ice", "boost": 2}}}, {"4": 0.9564027, "1": 0.8029333, "3": 0.6877716}),
            ({"match": {"t": {"query": "ice", "boost": "2"}}}, NOT_IMPLEMENTED),
            ({"match": {"t": {"query": "ice", "boost": -1}}}, NOT_IMPLEMENTED),
            ({"match": {"t": {"query": "ice", "boost": None}}}, "parsing_exception"),
            ({"match": {"t": None}}, "parsing_exception"),
            ({"match": {"t": "!"}}, {}),
            ({"match_phrase": {"t": "ice and"}}, {"3": 1.5046883}),
            ({"match_phrase": {"t": "and ice"}}, {}),
            ({"match": {}}, "parsing_exception"),
            ({"match": {"t": "ice", "boost": 2}}, "parsing_exception"),
        ],
    ),
    "lengths": (
        {"t": {"type": "text"}},
        [
            {
                "t": "ice word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word "
            },
            {
                "t": "ice word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word "
            },
            {
                "t": "ice word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word "
            },
            {
                "t": "ice word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word "
            },
            {
                "t": "ice word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word "
            },
            {
                "t": "ice ice word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word "
            },
            {"t": ""},
            {"t": "!?"},
            {"t": "ice"},
        ],
        [
            (
                {"match": {"t": "ice"}},
                {"9": 0.1090107, "1": 0.1014634, "2": 0.1014634, "6": 0.0947961, "5": 0.0899644, "3": 0.0379184, "4": 0.0379184},
            ),
            (
                {"match": {"t": "word"}},
                {"3": 0.4556112, "4": 0.4555348, "6": 0.4553395, "5": 0.4544393, "1": 0.4522909, "2": 0.4521762},
            ),
            (
                {"term": {"t": "ice"}},
                {"9": 0.1090107, "1": 0.1014634, "2": 0.1014634, "6": 0.0947961, "5": 0.0899644, "3": 0.0379184, "4": 0.0379184},
            ),
            (
                {"match_phrase": {"t": "ice word"}},
                {"1": 0.427901, "2": 0.427901, "5": 0.3794061, "6": 0.3000583, "3": 0.1599131, "4": 0.1599131},
            ),
            (
                {"exists": {"field": "t"}},
                {"1": 1.0, "2": 1.0, "3": 1.0, "4": 1.0, "5": 1.0, "6": 1.0, "7": 1.0, "8": 1.0, "9": 1.0},
            ),
        ],
    ),
    "keywords": (
        {"k": {"type": "keyword"}},
        [{"k": ["a", "a", "b"]}, {"k": ["a"]}, {"k": ["c", "b"]}, {"k": ["a", "b", "c", "d", "d"]}],
        [
            ({"term": {"k": "a"}}, {"1": 0.4615793, "2": 0.4615793, "4": 0.4615793}),
            ({"term": {"k": "b"}}, {"1": 0.4615793, "3": 0.4615793, "4": 0.4615793}),
            ({"term": {"k": "c"}}, {"3": 0.897014, "4": 0.897014}),
            ({"term": {"k": "d"}}, {"4": 1.5580825}),
            ({"terms": {"k": ["a", "d"]}}, {"1": 1.0, "2": 1.0, "4": 1.0}),
            ({"terms": {"k": {"value": ["x"]}}}, NOT_IMPLEMENTED),
            ({"terms": {"k": [None]}}, "parsing_exception"),
            ({"range": {"k": {"gt": "a", "lte": "c"}}}, {"1": 1.0, "3": 1.0, "4": 1.0}),
        ],
    ),
    "exclusions": (
        {"lang": {"type": "keyword"}, "n": {"type": "integer"}},
        [{"lang": "en", "n": 1}, {"lang": "de", "n": 2}],
        [
            ({"bool": {"must_not": [{"term": {"lang": "fr"}}]}}, {"1": 0.0, "2": 0.0}),
            ({"bool": {"must_not": [{"term": {"lang": "en"}}]}}, {"2": 0.0}),
            ({"bool": {"must": [{"bool": {"must_not": [{"term": {"lang": "fr"}}]}}, {"match_all": {}}]}}, {"1": 1.0, "2": 1.0}),
            ({"bool": {"filter": [{"bool": {"must_not": [{"term": {"lang": "fr"}}]}}]}}, {"1": 0.0, "2": 0.0}),
            (
                {"bool": {"should": [{"bool": {"must_not": [{"term": {"lang": "fr"}}]}}, {"term": {"n": 1}}]}},
                {"1": 1.0, "2": 0.0},
            ),
            ({"bool": {"should": [{"term": {"lang": "q"}}], "must_not": [{"term": {"lang": "en"}}]}}, {}),
            ({"bool": {"should": [{"term": {"n": 1}}], "filter": [{"match_all": {}}]}}, {"1": 1.0, "2": 0.0}),
            ({"bool": {}}, {"1": 1.0, "2": 1.0}),
            ({"bool": {"must": []}}, {"1": 1.0, "2": 1.0}),
            ({"bool": {"must": None}}, {"1": 1.0, "2": 1.0}),
            ({"bool": {"must": {}}}, "x_content_parse_exception"),
            ({"bool": {"must": [None]}}, "parsing_exception"),
            ({"bool": {"boost": -1}}, NOT_IMPLEMENTED),
            ({"bool": {"must_not": [{"term": {"lang": "en"}}]}}, {"2": 0.0}),
            ({"bool": {"must_not": [{"term": {"lang": "en"}}], "minimum_should_match": 2}}, {"2": 0.0}),
            ({"bool": {"filter": [{"match_all": {}}], "minimum_should_match": 1}}, {}),
            ({"bool": {"should": [{"term": {"n": 1}}], "minimum_should_match": None}}, NOT_IMPLEMENTED),
            ({"bool": {"should": [{"term": {"n": 1}}], "minimum_should_match": "50%"}}, NOT_IMPLEMENTED),
            ({"bool": {"filter": [{"term": {"n": "x"}}, {"match_all": {}}]}}, "query_shard_exception"),
            ({"bool": {"filter": [{"term": {"n": "x"}}, {"term": {"nope": 1}}]}}, NOT_IMPLEMENTED),
        ],
    ),
    "dates": (
        {"d": {"type": "date"}, "empty": {"type": "date"}},
        [
            {"d": "2023-01-01T10:00:00Z"},
            {"d": "2023-06-15T18:30:00Z"},
            {"d": "2023-06-15"},
            {"d": "2023-06-15T10:30:00.123Z"},
            {"d": 2023},
        ],
        [
            ({"range": {"d": {"gte": "2023-06-15", "lte": "2023-06-15"}}}, {"2": 1.0, "3": 1.0, "4": 1.0}),
            ({"range": {"d": {"gt": "2023-06-15"}}}, {}),
            ({"range": {"d": {"lt": "2023-06-15"}}}, {"1": 1.0, "5": 1.0}),
            ({"range": {"d": {"gte": "2023-06-15"}}}, {"2": 1.0, "3": 1.0, "4": 1.0}),
            ({"term": {"d": "2023-06-15"}}, {"2": 1.0, "3": 1.0, "4": 1.0}),
            ({"terms": {"d": ["2023-06-15", "1970"]}}, {"2": 1.0, "3": 1.0, "4": 1.0}),
            ({"match": {"d": "2023-06-15"}}, {"2": 1.0, "3": 1.0, "4": 1.0}),
            ({"range": {"d": {"lte": "2023"}}}, {"1": 1.0, "5": 1.0}),
            ({"term": {"d": "2023"}}, {"1": 1.0, "5": 1.0}),
            ({"term": {"d": "2023-06"}}, {}),
            ({"term": {"d": 2023}}, {}),
            ({"term": {"d": "1970"}}, {}),
            ({"term": {"d": "2023-06-15T10"}}, {"4": 1.0}),
            ({"term": {"d": "2023-06-15T10:30"}}, {"4": 1.0}),
            ({"term": {"d": "2023-06-15T10:30:00"}}, {"4": 1.0}),
            ({"term": {"d": "2023-06-15T10:30:00.1"}}, {}),
            ({"term": {"d": "2023-06-15T12:30:00.123+02:00"}}, {"4": 1.0}),
            ({"term": {"d": "1686825000123"}}, {"4": 1.0}),
            ({"term": {"d": 1686825000123}}, {"4": 1.0}),
            ({"range": {"d": {"gte": 1686787200000, "lte": "2023-07-01"}}}, "parse_exception"),
            ({"range": {"empty": {"gte": 1686787200000, "lte": "2023-07-01"}}}, {}),
            ({"range": {"d": {"gte": 2023, "lte": "3000"}}}, {}),
            ({"range": {"d": {"gt": 1686825000122.5}}}, "parse_exception"),
            ({"range": {"d": {"gt": "2023-06-15T10:30"}}}, {"2": 1.0}),
            ({"range": {"d": {"gte": "2023-06-15T10:30"}}}, {"2": 1.0, "4": 1.0}),
            ({"term": {"d": "2023-6-15"}}, "parse_exception"),
            ({"term": {"d": "blue"}}, "parse_exception"),
            ({"term": {"d": True}}, "parse_exception"),
            ({"term": {"d": "2023-02-30"}}, "parse_exception"),
            ({"range": {"d": {"gte": ""}}}, "parse_exception"),
            ({"range": {"d": {"gte": "2023-06-15", "lt": None}}}, {"2": 1.0, "3": 1.0, "4": 1.0}),
            ({"range": {"d": {"gt": "2024", "gte": "2022"}}}, {"1": 1.0, "2": 1.0, "3": 1.0, "4": 1.0, "5": 1.0}),
            ({"match_phrase": {"d": "2023-06-15"}}, {"2": 1.0, "3": 1.0, "4": 1.0}),
            ({"term": {"d": "now"}}, NOT_IMPLEMENTED),
        ],
    ),
    "whole_numbers": (
        {"n": {"type": "integer"}, "s": {"type": "short"}, "y": {"type": "byte"}, "l": {"type": "long"}},
        [{"n": 3, "s": 3, "y": 3, "l": 3}, {"n": -2, "s": -2, "y": -2, "l": 9007199254740993}],
        [
            ({"term": {"n": 3}}, {"1": 1.0}),
            ({"term": {"n": 3.0}}, {"1": 1.0}),
            ({"term": {"n": "3"}}, {"1": 1.0}),
            ({"term": {"n": 3.5}}, {}),
            ({"term": {"n": "3.5"}}, {}),
            ({"term": {"n": 4000000000}}, {}),
            ({"term": {"n": 40000}}, {}),
            ({"term": {"n": "x"}}, "query_shard_exception"),
            ({"term": {"n": ""}}, NOT_IMPLEMENTED),
            ({"term": {"n": True}}, NOT_IMPLEMENTED),
            ({"term": {"s": 3}}, {"1": 1.0}),
            ({"term": {"s": 3.0}}, {"1": 1.0}),
            ({"term": {"s": "3"}}, {"1": 1.0}),
            ({"term": {"s": 3.5}}, {}),
            ({"term": {"s": "3.5"}}, {}),
            ({"term": {"s": 4000000000}}, {}),
            ({"term": {"s": 40000}}, {}),
            ({"term": {"s": "x"}}, "query_shard_exception"),
            ({"term": {"s": ""}}, NOT_IMPLEMENTED),
            ({"term": {"s": True}}, NOT_IMPLEMENTED),
            ({"term": {"y": 3}}, {"1": 1.0}),
            ({"term": {"y": 3.0}}, {"1": 1.0}),
            ({"term": {"y": "3"}}, {"1": 1.0}),
            ({"term": {"y": 3.5}}, {}),
            ({"term": {"y": "3.5"}}, {}),
            ({"term": {"y": 4000000000}}, {}),
            ({"term": {"y": 40000}}, {}),
            ({"term": {"y": "x"}}, "query_shard_exception"),
            ({"term": {"y": ""}}, NOT_IMPLEMENTED),
            ({"term": {"y": True}}, NOT_IMPLEMENTED),
            ({"term": {"l": 3}}, {"1": 1.0}),
            ({"term": {"l": 3.0}}, {"1": 1.0}),
            ({"term": {"l": "3"}}, {"1": 1.0}),
            ({"term": {"l": 3.5}}, {}),
            ({"term": {"l": "3.5"}}, {}),
            ({"term": {"l": 4000000000}}, {}),
            ({"term": {"l": 40000}}, {}),
            ({"term": {"l": "x"}}, "query_shard_exception"),
            ({"term": {"l": ""}}, NOT_IMPLEMENTED),
            ({"term": {"l": True}}, NOT_IMPLEMENTED),
            ({"terms": {"s": [3, 40000]}}, {"1": 1.0}),
            ({"terms": {"n": [3.5, 3]}}, {"1": 1.0}),
            ({"terms": {"n": [3, 4000000000]}}, "query_shard_exception"),
            ({"term": {"l": 9007199254740993}}, {"2": 1.0}),
            ({"term": {"l": 9007199254740992}}, {}),
            ({"term": {"l": "9007199254740993"}}, NOT_IMPLEMENTED),
            ({"term": {"l": 9223372036854775808}}, {}),
            ({"term": {"n": " 3 "}}, NOT_IMPLEMENTED),
            ({"term": {"l": " 3 "}}, NOT_IMPLEMENTED),
            ({"term": {"n": "1_0"}}, NOT_IMPLEMENTED),
            ({"term": {"n": "3d"}}, NOT_IMPLEMENTED),
            ({"match": {"n": 3.5}}, {}),
            ({"match": {"n": 4000000000}}, {}),
            ({"range": {"n": {"gte": "3.5"}}}, {}),
            ({"range": {"n": {"gte": 2.5}}}, {"1": 1.0}),
            ({"range": {"n": {"gt": 2.5}}}, {"1": 1.0}),
            ({"range": {"n": {"gt": 3}}}, {}),
            ({"range": {"n": {"lt": 3}}}, {"2": 1.0}),
            ({"range": {"n": {"lt": 3.5}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"n": {"lte": 3.5}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"n": {"lte": -1.5}}}, {"2": 1.0}),
            ({"range": {"n": {"gte": -2.5}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"n": {"gt": -2.5}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"n": {"lt": 1e30}}}, "query_shard_exception"),
            ({"range": {"n": {"gte": "x"}}}, "query_shard_exception"),
            ({"range": {"n": {"gte": None}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"l": {"gte": "3.5"}}}, {"2": 1.0}),
            ({"range": {"l": {"gte": 2.5}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"l": {"gt": 2.5}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"l": {"gt": 3}}}, {"2": 1.0}),
            ({"range": {"l": {"lt": 3}}}, {}),
            ({"range": {"l": {"lt": 3.5}}}, {"1": 1.0}),
            ({"range": {"l": {"lte": 3.5}}}, {"1": 1.0}),
            ({"range": {"l": {"lte": -1.5}}}, {}),
            ({"range": {"l": {"gte": -2.5}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"l": {"gt": -2.5}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"l": {"lt": 1e30}}}, "query_shard_exception"),
            ({"range": {"l": {"gte": "x"}}}, "query_shard_exception"),
            ({"range": {"l": {"gte": None}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"s": {"lt": 40000}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"y": {"lt": 40000}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"n": {"lt": 4000000000}}}, "query_shard_exception"),
        ],
    ),
    "fractions": (
        {"f": {"type": "float"}, "g": {"type": "double"}, "h": {"type": "half_float"}},
        [{"f": 3.3, "g": 3.3, "h": 3.3}, {"f": 19.99, "g": 19.99, "h": 19.99}, {"f": 0, "g": 0, "h": 0}],
        [
            ({"range": {"f": {"gte": 3.3}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"f": {"lte": 3.3}}}, {"1": 1.0, "3": 1.0}),
            ({"range": {"f": {"gt": 3.3}}}, {"2": 1.0}),
            ({"range": {"f": {"lt": 3.3}}}, {"3": 1.0}),
            ({"range": {"f": {"gte": "19.99"}}}, {"2": 1.0}),
            ({"range": {"f": {"lte": "19.99"}}}, {"1": 1.0, "2": 1.0, "3": 1.0}),
            ({"range": {"f": {"gt": "19.99"}}}, {}),
            ({"range": {"f": {"lt": "19.99"}}}, {"1": 1.0, "3": 1.0}),
            ({"range": {"g": {"gte": 3.3}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"g": {"lte": 3.3}}}, {"1": 1.0, "3": 1.0}),
            ({"range": {"g": {"gt": 3.3}}}, {"2": 1.0}),
            ({"range": {"g": {"lt": 3.3}}}, {"3": 1.0}),
            ({"range": {"g": {"gte": "19.99"}}}, {"2": 1.0}),
            ({"range": {"g": {"lte": "19.99"}}}, {"1": 1.0, "2": 1.0, "3": 1.0}),
            ({"range": {"g": {"gt": "19.99"}}}, {}),
            ({"range": {"g": {"lt": "19.99"}}}, {"1": 1.0, "3": 1.0}),
            ({"range": {"h": {"gte": 3.3}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"h": {"lte": 3.3}}}, {"3": 1.0}),
            ({"range": {"h": {"gt": 3.3}}}, {"1": 1.0, "2": 1.0}),
            ({"range": {"h": {"lt": 3.3}}}, {"3": 1.0}),
            ({"range": {"h": {"gte": "19.99"}}}, {}),
            ({"range": {"h": {"lte": "19.99"}}}, {"1": 1.0, "2": 1.0, "3": 1.0}),
            ({"range": {"h": {"gt": "19.99"}}}, {}),
            ({"range": {"h": {"lt": "19.99"}}}, {"1": 1.0, "2": 1.0, "3": 1.0}),
            ({"term": {"f": 3.3}}, {"1": 1.0}),
            ({"term": {"f": "3.3"}}, {"1": 1.0}),
            ({"term": {"f": 1e39}}, {}),
            ({"term": {"f": "x"}}, "query_shard_exception"),
            ({"term": {"f": -0.0}}, {}),
            ({"term": {"g": 3.3}}, {"1": 1.0}),
            ({"term": {"g": "3.3"}}, {"1": 1.0}),
            ({"term": {"g": 1e39}}, {}),
            ({"term": {"g": "x"}}, "query_shard_exception"),
            ({"term": {"g": -0.0}}, {}),
            ({"term": {"h": 3.3}}, {"1": 1.0}),
            ({"term": {"h": "3.3"}}, {"1": 1.0}),
            ({"term": {"h": 1e39}}, {}),
            ({"term": {"h": "x"}}, "query_shard_exception"),
            ({"term": {"h": -0.0}}, {}),
            ({"range": {"f": {"gte": 1e39}}}, {}),
            ({"range": {"f": {"gt": -0.0}}}, {"1": 1.0, "2": 1.0, "3": 1.0}),
            ({"terms": {"f": [3.3, 19.99]}}, {"1": 1.0, "2": 1.0}),
        ],
    ),
    "booleans": (
        {"b": {"type": "boolean"}},
        [{"b": True}, {"b": "false"}],
        [
            ({"term": {"b": True}}, {"1": 0.6931471}),
            ({"term": {"b": "true"}}, {"1": 0.6931471}),
            ({"term": {"b": False}}, {"2": 0.6931471}),
            ({"term": {"b": ""}}, "query_shard_exception"),
            ({"term": {"b": 1}}, "query_shard_exception"),
            ({"term": {"b": "True"}}, "query_shard_exception"),
            ({"range": {"b": {"gt": False}}}, {"1": 1.0}),
            ({"match": {"b": "true"}}, {"1": 0.6931471}),
        ],
    ),
    "names": (
        {
            "kind": {"type": "keyword"},
            "o": {"properties": {"k": {"type": "keyword"}}},
            "t": {"type": "text", "fields": {"k": {"type": "keyword", "ignore_above": 3}}},
        },
        [{"kind": "x", "o": {"k": "x"}, "t": "long words"}, {"t": ""}],
        [
            ({"exists": {"field": "ki*"}}, NOT_IMPLEMENTED),
            ({"exists": {"field": "o"}}, {"1": 1.0}),
            ({"exists": {"field": "o.*"}}, NOT_IMPLEMENTED),
            ({"exists": {"field": "o.k"}}, {"1": 1.0}),
            ({"exists": {"field": "t"}}, {"1": 1.0, "2": 1.0}),
            ({"exists": {"field": "t.k"}}, {"2": 1.0}),
            ({"exists": {"field": "t*"}}, NOT_IMPLEMENTED),
            ({"exists": {"field": "_id"}}, NOT_IMPLEMENTED),
            ({"exists": {"field": "_index"}}, NOT_IMPLEMENTED),
            ({"exists": {"field": "_source"}}, NOT_IMPLEMENTED),
            ({"exists": {"field": "_seq_no"}}, NOT_IMPLEMENTED),
            ({"exists": {"field": "*"}}, NOT_IMPLEMENTED),
            ({"exists": {"field": "nope"}}, {}),
            ({"exists": {"field": None}}, NOT_IMPLEMENTED),
            ({"match": {"_id": "1"}}, {"1": 1.0}),
            ({"term": {"_id": "1"}}, {"1": 1.0}),
            ({"match_phrase": {"_id": "1"}}, {"1": 1.0}),
            ({"prefix": {"_id": "1"}}, NOT_IMPLEMENTED),
            ({"terms": {"_id": ["1", "3"]}}, {"1": 1.0}),
            ({"ids": {"values": ["1", "7"]}}, {"1": 1.0}),
            ({"ids": {"values": "1"}}, {"1": 1.0}),
            ({"ids": {"values": 1}}, NOT_IMPLEMENTED),
            ({"ids": {}}, {}),
            ({"ids": {"values": [None]}}, NOT_IMPLEMENTED),
            ({"term": {"_index": "i"}}, NOT_IMPLEMENTED),
            ({"match": {"_source": "x"}}, NOT_IMPLEMENTED),
            ({"range": {"_id": {"gte": "1"}}}, NOT_IMPLEMENTED),
            ({"match": {"ki*": "x"}}, {}),
            ({"match": {"nope": "x"}}, {}),
        ],
    ),
    "unindexed": (
        {
            "keyword_11": {"type": "keyword", "index": True, "doc_values": True},
            "keyword_10": {"type": "keyword", "index": True, "doc_values": False},
            "keyword_01": {"type": "keyword", "index": False, "doc_values": True},
            "keyword_00": {"type": "keyword", "index": False, "doc_values": False},
            "text_11": {"type": "text", "index": True},
            "text_01": {"type": "text", "index": False},
            "integer_11": {"type": "integer", "index": True, "doc_values": True},
            "integer_10": {"type": "integer", "index": True, "doc_values": False},
            "integer_01": {"type": "integer", "index": False, "doc_values": True},
            "integer_00": {"type": "integer", "index": False, "doc_values": False},
            "boolean_11": {"type": "boolean", "index": True, "doc_values": True},
            "boolean_10": {"type": "boolean", "index": True, "doc_values": False},
            "boolean_01": {"type": "boolean", "index": False, "doc_values": True},
            "boolean_00": {"type": "boolean", "index": False, "doc_values": False},
            "float_11": {"type": "float", "index": True, "doc_values": True},
            "float_10": {"type": "float", "index": True, "doc_values": False},
            "float_01": {"type": "float", "index": False, "doc_values": True},
            "float_00": {"type": "float", "index": False, "doc_values": False},
            "flag": {"type": "keyword", "index": "false", "doc_values": "false"},
        },
        [
            {
                "keyword_11": "x",
                "keyword_10": "x",
                "keyword_01": "x",
                "keyword_00": "x",
                "text_11": "x",
                "text_01": "x",
                "integer_11": 3,
                "integer_10": 3,
                "integer_01": 3,
                "integer_00": 3,
                "boolean_11": True,
                "boolean_10": True,
                "boolean_01": True,
                "boolean_00": True,
                "float_11": 3.3,
                "float_10": 3.3,
                "float_01": 3.3,
                "float_00": 3.3,
                "flag": "x",
            }
        ],
        [
            ({"term": {"keyword_10": "x"}}, {"1": 0.2876821}),
            ({"match": {"keyword_10": "x"}}, {"1": 0.2876821}),
            ({"exists": {"field": "keyword_10"}}, {"1": 1.0}),
            ({"term": {"keyword_01": "x"}}, {"1": 1.0}),
            ({"match": {"keyword_01": "x"}}, {"1": 1.0}),
            ({"exists": {"field": "keyword_01"}}, {"1": 1.0}),
            ({"term": {"keyword_00": "x"}}, "query_shard_exception"),
            ({"match": {"keyword_00": "x"}}, "query_shard_exception"),
            ({"exists": {"field": "keyword_00"}}, {}),
            ({"term": {"text_01": "x"}}, "query_shard_exception"),
            ({"match": {"text_01": "x"}}, "query_shard_exception"),
            ({"exists": {"field": "text_01"}}, {}),
            ({"term": {"integer_10": 3}}, {"1": 1.0}),
            ({"match": {"integer_10": 3}}, {"1": 1.0}),
            ({"exists": {"field": "integer_10"}}, {"1": 1.0}),
            ({"term": {"integer_01": 3}}, {"1": 1.0}),
            ({"match": {"integer_01": 3}}, {"1": 1.0}),
            ({"exists": {"field": "integer_01"}}, {"1": 1.0}),
            ({"term": {"integer_00": 3}}, "query_shard_exception"),
            ({"match": {"integer_00": 3}}, "query_shard_exception"),
            ({"exists": {"field": "integer_00"}}, {}),
            ({"term": {"boolean_10": True}}, {"1": 0.2876821}),
            ({"match": {"boolean_10": True}}, {"1": 0.2876821}),
            ({"exists": {"field": "boolean_10"}}, {"1": 1.0}),
            ({"term": {"boolean_01": True}}, {"1": 1.0}),
            ({"match": {"boolean_01": True}}, {"1": 1.0}),
            ({"exists": {"field": "boolean_01"}}, {"1": 1.0}),
            ({"term": {"boolean_00": True}}, "query_shard_exception"),
            ({"match": {"boolean_00": True}}, "query_shard_exception"),
            ({"exists": {"field": "boolean_00"}}, {}),
            ({"term": {"float_10": 3.3}}, {"1": 1.0}),
            ({"match": {"float_10": 3.3}}, {"1": 1.0}),
            ({"exists": {"field": "float_10"}}, {"1": 1.0}),
            ({"term": {"float_01": 3.3}}, {"1": 1.0}),
            ({"match": {"float_01": 3.3}}, {"1": 1.0}),
            ({"exists": {"field": "float_01"}}, {"1": 1.0}),
            ({"term": {"float_00": 3.3}}, "query_shard_exception"),
            ({"match": {"float_00": 3.3}}, "query_shard_exception"),
            ({"exists": {"field": "float_00"}}, {}),
            ({"term": {"flag": "x"}}, "query_shard_exception"),
            ({"match": {"flag": "x"}}, "query_shard_exception"),
            ({"exists": {"field": "flag"}}, {}),
            ({"range": {"integer_00": {"gte": 3}}}, "query_shard_exception"),
            ({"range": {"integer_01": {"gte": 3}}}, {"1": 1.0}),
            ({"terms": {"keyword_00": ["x"]}}, "query_shard_exception"),
        ],
    ),
    "options": (
        {"k": {"type": "keyword"}, "t": {"type": "text"}},
        [{"k": "x", "t": "ink"}],
        [
            ({"match_all": {"boost": "2"}}, NOT_IMPLEMENTED),
            ({"match_all": {"boost": -2}}, NOT_IMPLEMENTED),
            ({"match_all": {"boost": None}}, "parsing_exception"),
            ({"match_all": {"bogus": 1}}, NOT_IMPLEMENTED),
            ({"match_none": {}}, {}),
            ({"match_none": {"boost": -1}}, NOT_IMPLEMENTED),
            ({"constant_score": {"filter": {"term": {"k": "x"}}, "boost": 3}}, {"1": 3.0}),
            ({"constant_score": {}}, "parsing_exception"),
            ({"constant_score": {"filter": {}}}, "illegal_argument_exception"),
            ({"exists": {}}, "parsing_exception"),
            ({"term": {}}, "illegal_argument_exception"),
            ({"term": {"k": None}}, "illegal_argument_exception"),
            ({"term": {"k": []}}, "parsing_exception"),
            ({"term": {"k": {"value": "x", "boost": "1.5"}}}, NOT_IMPLEMENTED),
            ({"term": {"k": "x", "boost": 2}}, "parsing_exception"),
            ({"range": {"k": 3}}, NOT_IMPLEMENTED),
            ({"range": {}}, "illegal_argument_exception"),
            ({"range": {"k": {"bogus": 1}}}, NOT_IMPLEMENTED),
            ({"range": {"k": {"gte": "a"}, "boost": 2}}, "parsing_exception"),
            ({"match": {"t": {"query": "ink", "lenient": True}}}, NOT_IMPLEMENTED),
            ({"match": {"t": {"query": "?", "zero_terms_query": "ALL"}}}, NOT_IMPLEMENTED),
            ({"match": {"t": {"query": "ink", "fuzziness": "AUTO"}}}, NOT_IMPLEMENTED),
            ({"multi_match": {"query": "ink", "fields": ["t"]}}, NOT_IMPLEMENTED),
            ({"prefix": {"k": "x"}}, NOT_IMPLEMENTED),
            ({}, "illegal_argument_exception"),
            ({"nope": {}}, "parsing_exception"),
            ({"match_all": {}, "match_none": {}}, "parsing_exception"),
        ],
    ),
}
WORDS = {  # as Lucene 10.5.1 parts them
    # Hebrew: a quote between two letters, and an apostrophe after one, belong to the word.
    'ד"ר כהן': ['ד"ר', "כהן"],
    "צה״ל": ["צה״ל"],
    "ה'תשפ\"ד": ["ה'תשפ\"ד"],
    "רח' הרצל": ["רח'", "הרצל"],
    '"שלום"': ["שלום"],
    # Fractions, superscripts, subscripts, circled and old numerals are in no word; Roman ones are letters.
    "½ x² H₂O ①": ["x", "h", "o"],
    "50 m²": ["50", "m"],
    "፲፪ Ⅷ": ["ⅷ"],
    # Connectors other than `_` hold together; so does U+2027 between letters.
    "a‿b foo＿bar a‧b": ["a‿b", "foo＿bar", "a‧b"],
    # What holds letters does not always hold digits.
    "a·b a.b a:b a'b a’b": ["a·b", "a.b", "a:b", "a'b", "a’b"],
    "5·5 5:5 5'5 5,5 5;5 5.5": ["5", "5", "5", "5", "5'5", "5,5", "5;5", "5.5"],
    "a1.b2 a.1b 1.a _a_ __ _1": ["a1", "b2", "a", "1b", "1", "a", "_a_", "_1"],
    # Ideographs: radicals are some, U+3006 is none.
    "〆切 々 〇 ⼀ 〡 中_文": ["切", "々", "〇", "⼀", "〡", "中", "文"],
    "㌔ ー": ["㌔", "ー"],
    # Circled letters are letters.
    "Ⓐ ⓐ": ["ⓐ", "ⓐ"],
    # A joined emoji and its neighbours.
    "日本🇯🇵語": ["日", "本", "🇯🇵", "語"],
    "🇩🇪🇫🇷": ["🇩🇪", "🇫🇷"],
    "🜀 🠀": [],
    # 255 units of UTF-16 are the most, cut before a mark or a point that would be the last or the first.
    "a" * 254 + "'b": ["a" * 254, "b"],
    "a" * 255 + "'b": ["a" * 255, "b"],
    "a" * 255 + "b'c": ["a" * 255, "b'c"],
    "𐐨" * 130: ["𐐨" * 127, "𐐨" * 3],
    "a" * 254 + "𐐨b": ["a" * 254, "𐐨b"],
}


@pytest.mark.parametrize("text", WORDS)
def test_words(text: str) -> None:
    assert terms(text) == WORDS[text]


@pytest.fixture(scope="module")
def es() -> Iterator[Elasticsearch]:
    with LocalEIS(model="hash") as eis, Elasticsearch(eis.url, max_retries=0, request_timeout=30) as client:
        yield client


def answer(es: Elasticsearch, **body: Any) -> Any:
    try:
        hits = es.options(headers=HEADERS).perform_request("POST", "/i/_search", body=body).body["hits"]["hits"]
    except ApiError as error:
        return error.body["error"]["root_cause"][0]["type"]
    return {hit["_id"]: hit["_score"] for hit in hits}


def fill(es: Elasticsearch, fields: Json, docs: list[Json]) -> None:
    es.options(ignore_status=404).indices.delete(index="i")
    es.indices.create(index="i", mappings={"properties": fields})
    for number, source in enumerate(docs, 1):
        es.index(index="i", id=str(number), document=source)
    es.indices.refresh(index="i")


@pytest.mark.parametrize("name", CASES)
def test_answers_as_elasticsearch(es: Elasticsearch, name: str) -> None:
    fields, docs, queries = CASES[name]
    fill(es, fields, docs)
    wrong = []
    for query, expected in queries:
        found = answer(es, query=query, size=40)
        if found != (expected if isinstance(expected, str) else pytest.approx(expected, rel=1e-5)):
            wrong.append(f"{query}: {found}, not {expected}")
    assert not wrong, "\n".join(wrong)


def test_exclusions_in_vector_searches(es: Elasticsearch) -> None:
    fill(
        es,
        {"lang": {"type": "keyword"}, "r": {"type": "float"}, "v": {"type": "dense_vector", "dims": 2}},
        [{"lang": "en", "r": 3.3, "v": [0, 1]}, {"lang": "de", "v": [3, 4]}],
    )
    knn = {"field": "v", "query_vector": [0, 2], "k": 2}
    none_is_french = {"bool": {"must_not": [{"term": {"lang": "fr"}}]}}
    for body in (
        {"knn": knn | {"filter": none_is_french}},
        {"query": {"knn": knn | {"filter": [none_is_french]}}},
        {"retriever": {"knn": knn | {"num_candidates": 2, "filter": none_is_french}}},
    ):
        assert answer(es, **body) == pytest.approx({"1": 1.0, "2": 0.9})
    assert answer(es, knn=knn | {"filter": {"range": {"r": {"gte": 3.3}}}}) == pytest.approx({"1": 1.0})


def test_highlights_of_words_are_refused(es: Elasticsearch) -> None:
    fill(es, {"t": {"type": "text"}, "k": {"type": "keyword"}, "s": {"type": "semantic_text"}}, [{"t": "ink", "k": "red"}])
    for highlight in ({"fields": {"t": {}}}, {"fields": {"k": {}}}, {"fields": {"*": {}}}, {"fields": {}, "pre_tags": ["<b>"]}):
        assert answer(es, query={"match": {"t": "ink"}}, highlight=highlight) == NOT_IMPLEMENTED
    for highlight in ({}, {"fields": {}}, {"fields": {"nope": {}}}, {"fields": {"s": {}}}):
        assert answer(es, query={"term": {"k": "red"}}, highlight=highlight) == pytest.approx({"1": 0.2876821})
