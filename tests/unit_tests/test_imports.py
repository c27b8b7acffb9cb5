"""The modules that an import loads, and the public names."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import jina_eis
import langchain_jina_eis
import llama_index_jina_eis


def loaded_after(code: str) -> set[str]:
    process = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in process.stdout.split()}


@pytest.mark.parametrize("package", ["jina_eis", "jina_eis.cli", "langchain_jina_eis", "llama_index_jina_eis"])
def test_importing_a_package_loads_no_framework_numpy_or_client(package: str) -> None:
    unwanted = {"langchain_core", "llama_index", "numpy", "elasticsearch", "aiohttp", "pydantic", "starlette"}
    assert not unwanted & loaded_after(f"import {package}")


def test_constructing_an_adapter_does_not_load_the_client() -> None:
    unwanted = {"elasticsearch", "elastic_transport", "aiohttp", "numpy", "tqdm", "llama_index", "starlette"}
    code = "from langchain_jina_eis import *; JinaEISVectorStore(es_url='http://localhost:9200', index_name='x'); [cls(es_url='http://localhost:9200') for cls in (JinaEISEmbeddings, JinaEISRerank)]"
    assert not unwanted & loaded_after(code)


@pytest.mark.parametrize("module", ["jina_eis.cli", "jina_eis.batch", "langchain_jina_eis", "llama_index_jina_eis"])
def test_no_import_loads_a_library_of_tables_or_an_engine(module: str) -> None:
    unwanted = {"pyarrow", "pandas", "polars", "ray", "dask", "pyspark"}
    code = "from jina_eis.batch import *; EmbedBatch(es_url='http://localhost:9200'); RerankBatch(es_url='http://localhost:9200')"
    assert not unwanted & loaded_after(code if module == "jina_eis.batch" else f"import {module}")


def test_public_names() -> None:
    assert set(jina_eis.__all__) == {
        *("MODELS", "EndpointInfo", "Endpoints", "JinaEISError", "Report", "Usage", "__version__"),
        *("adoctor", "doctor", "no_waits", "share_space"),
    }
    assert all(hasattr(jina_eis, name) for name in jina_eis.__all__)
    assert langchain_jina_eis.__all__ == [
        *("JinaEISEmbeddings", "JinaEISParser", "JinaEISRerank", "JinaEISRetriever", "JinaEISTranslator", "JinaEISVectorStore"),
    ]
    assert llama_index_jina_eis.__all__ == [
        *("JinaEISEmbedding", "JinaEISMultiModalEmbedding"),
        *("JinaEISReader", "JinaEISRerank", "JinaEISRetriever", "JinaEISVectorStore"),
    ]
    for package in (langchain_jina_eis, llama_index_jina_eis):
        assert all(getattr(package, name).__name__ == name for name in package.__all__)
        with pytest.raises(AttributeError):
            _ = package.Nonsense


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("jina_eis.checkup", "Check Report Status adoctor doctor"),
        ("jina_eis.demo", "DEMO_QUESTIONS FRAMEWORKS Hit Search python_reference read_docs run split"),
        ("jina_eis.retrieval", "RetrieverSettings metadata_of new_id scores_of"),
        ("jina_eis.settings", "MAX_CONCURRENCY MAX_RETRIES TIMEOUT ServiceSettings address_may_follow"),
    ],
)
def test_the_paths_of_version_0_1_have_all_their_names(path: str, names: str) -> None:
    module = import_module(path)
    assert module.__all__ == names.split()
    assert all(hasattr(module, name) for name in module.__all__)
