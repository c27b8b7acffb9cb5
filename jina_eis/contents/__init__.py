"""Inputs of a caller: text, image, audio, video, PDF, several fused into one, objects of other libraries, URLs.

An input is checked once, when it is created. This package knows `models` and `errors`, but no wire format and no
framework.
"""

from .encoding import looks_like_data_uri
from .hints import check_query
from .inputs import (
    Content,
    Embeddable,
    Get,
    Part,
    check_texts,
    content,
    content_list,
    fingerprint,
    holds_url,
    image_list,
    in_thread,
    label,
    looks_binary,
    query_text,
    source_of,
    text_list,
    text_source,
    warn_of_binary,
)
from .links import Link, medium_from_location, medium_from_url
from .media import Medium, describe
from .objects import Image, describe_type
from .pages import count_pages, describe_page, known_pages, page_image, page_pdf, page_texts, parts_to_index, split_pages

__all__ = [
    "Content",
    "Embeddable",
    "Get",
    "Image",
    "Link",
    "Medium",
    "Part",
    "check_query",
    "check_texts",
    "content",
    "content_list",
    "count_pages",
    "describe",
    "describe_page",
    "describe_type",
    "fingerprint",
    "holds_url",
    "image_list",
    "in_thread",
    "known_pages",
    "label",
    "looks_binary",
    "looks_like_data_uri",
    "medium_from_location",
    "medium_from_url",
    "page_image",
    "page_pdf",
    "page_texts",
    "parts_to_index",
    "query_text",
    "source_of",
    "split_pages",
    "text_list",
    "text_source",
    "warn_of_binary",
]
