"""What a caller may pass in: text, image, audio, video, PDF, several fused, objects of other libraries, URLs.

An input is checked when it is made and never again. This room knows `models` and `errors`; it knows no wire format and no
framework.
"""

from .inputs import (
    Content,
    Embeddable,
    Get,
    Part,
    check_texts,
    content,
    content_list,
    image_list,
    in_thread,
    label,
    query_text,
    text_list,
    text_source,
)
from .links import Link, address, link
from .media import Medium
from .objects import Image

__all__ = [
    "Content",
    "Embeddable",
    "Get",
    "Image",
    "Link",
    "Medium",
    "Part",
    "address",
    "check_texts",
    "content",
    "content_list",
    "image_list",
    "in_thread",
    "label",
    "link",
    "query_text",
    "text_list",
    "text_source",
]
