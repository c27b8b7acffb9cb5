"""The documented path of `jina_eis.cli.demo`: sample texts and questions."""

from .cli.demo import DEMO_QUESTIONS, FRAMEWORKS, Hit, Search, python_reference, read_docs, run, split

__all__ = ["DEMO_QUESTIONS", "FRAMEWORKS", "Hit", "Search", "python_reference", "read_docs", "run", "split"]
