"""Indices, mappings, documents and their storage, and how a text is cut into terms and passages.

This room knows `inference`, which embeds what is written. It knows no query.
"""
