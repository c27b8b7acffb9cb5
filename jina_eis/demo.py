"""The documented path of `jina_eis.cli.demo`: texts to try things with."""

from .cli.demo import DEMO_QUESTIONS, FRAMEWORKS, Hit, Search, python_reference, read_docs, run, split

__all__ = ["DEMO_QUESTIONS", "FRAMEWORKS", "Hit", "Search", "python_reference", "read_docs", "run", "split"]
