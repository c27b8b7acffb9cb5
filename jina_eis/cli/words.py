"""Messages of the library in the words of the command line: it has options, and Python has arguments."""

from __future__ import annotations

import re

__all__ = ["in_options"]

_PHRASES = (
    ("Pass es_url or es_cloud_id (or set ES_URL or ES_CLOUD_ID), or pass a client.", "Pass --url, or set ES_URL or ES_CLOUD_ID."),
    (", or use jina_eis.local.LocalEIS in code", ""),
    (", or es_user and es_password (ES_USER, ES_PASSWORD)", ", or ES_USER and ES_PASSWORD"),
    ("Pass it as es_cloud_id, or set ES_CLOUD_ID.", "Set ES_CLOUD_ID to it."),
    ("Pass it as es_url, or set ES_URL.", "Pass it as --url, or set ES_URL."),
    ("(as an argument, or in the environment)", "(as an option, or in the environment)"),
    ("force=True (--force)", "--force"),
    (" = None", ""),
    ("another index_name", "another index"),
    (", or delete the index with delete_index()", ", or delete the index"),
    ("delete_index() deletes it", "delete it"),
)
_OPTIONS = {
    "es_url": "--url",
    "es_api_key": "--api-key",
    "es_cloud_id": "ES_CLOUD_ID",
    "es_user": "ES_USER",
    "es_password": "ES_PASSWORD",
    "ca_certs": "--ca-certs",
    "verify_certs=False": "--no-verify-certs",
    "ssl_assert_fingerprint": "--ssl-assert-fingerprint",
    "proxy_user": "the user in --proxy",
    "proxy_password": "the password in --proxy",
    "http_compress": "--http-compress",
    "chunking_settings": "--chunking",
    "index_name": "the index",
    "field_type": "--field-type",
    "rerank_inference_id": "--rerank",
    "search_type": "--search-type",
}
_ASSIGNED = ("address", "model", "task", "dimensions", "similarity", "k", "proxy", "headers", "field")
_NAMES = re.compile("|".join(rf"\b{re.escape(name)}(?![\w-])" for name in _OPTIONS))
_ASSIGNMENT = re.compile(rf"^({'|'.join(_ASSIGNED)})=(?=[\w'\"-])")
_PASSED = re.compile(rf"\b(pass|Pass|leave|Leave) ({'|'.join(_ASSIGNED)})(?=[ .,:;=]|$)")


def in_options(text: str) -> str:
    """Return a message with the options of the command line in place of the arguments in Python."""
    for phrase, instead in _PHRASES:
        text = text.replace(phrase, instead)
    text = _ASSIGNMENT.sub(lambda match: f"--{_option(match[1])} ", text)
    text = _PASSED.sub(lambda match: f"{match[1]} --{_option(match[2])}", text)
    return _NAMES.sub(lambda match: _OPTIONS[match[0]], text)


def _option(name: str) -> str:
    return "header" if name == "headers" else name
