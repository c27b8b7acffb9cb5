"""Jina's own weights: the vectors of jina-embeddings-v5-text-small and -nano, from the ONNX files that Jina publishes.

Knows files, tokens and tensors. Must not know requests, endpoints or HTTP. Needs onnxruntime and tokenizers, and for a name
on the hub huggingface_hub: the extra `models`.

Facts about the models, from their cards and from code that runs them: the files of the repositories `…-retrieval`, whose weights
contain the adapter for retrieval; their prefixes by role; the vector of a text is the hidden state of its last token, normalised;
its first numbers, normalised again, are a shorter vector. The context and the lengths are those of `jina_eis.models`.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ...models import HUGGING_FACE, MODELS, EmbeddingModel
from . import standin
from .standin import Array, ModelName, StandIn

DOCUMENT, QUERY = "Document: ", "Query: "
INPUTS = ["attention_mask", "input_ids"]
OUTPUT = "last_hidden_state"
FAMILIES = {"qwen3": "jina-embeddings-v5-text-small", "eurobert": "jina-embeddings-v5-text-nano"}  # by `model_type`
TEXT_MODELS = [model for model in MODELS if isinstance(model, EmbeddingModel) and model.name in FAMILIES.values()]
MODEL_FILES = ("onnx/model.onnx", "model.onnx", "onnx/model_quantized.onnx", "model_quantized.onnx")
ADAPTER = "-retrieval"  # the end of the names of the repositories with the files
HUB_NAME = re.compile(r"(?P<repository>[\w-][\w.-]*/[\w.-]+)(?P<file>/[\w./-]+\.onnx)?")
LICENCE = "CC BY-NC 4.0, for non-commercial use only"
BATCH_TOKENS = 4096  # of a batch with its padding; a longer text is a batch of its own
READ_AHEAD = 1024  # texts that are sorted by length at once

logger = logging.getLogger("jina_eis.local")


class WeightsError(ValueError):
    """Weights that cannot be used; the message states why, and what to do."""


class Weights:
    """Text vectors of one model; thread safe, one batch at a time.

    Args:
        place: A folder with the files as published (`onnx/model.onnx`, `tokenizer.json`, `config.json`), the ONNX file in such
            a folder, or a name on the hub.

    Attributes:
        model: The model, a row of `jina_eis.models`.

    Raises:
        WeightsError: Files are missing, or are not those of a supported model.
        ImportError: The extra `models` is not installed.
    """

    def __init__(self, place: str) -> None:
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ModuleNotFoundError as error:
            raise missing_extra(error) from error
        graph, tokenizer, config = find_files(Path(place) if Path(place).exists() else download(place))
        family = json.loads(config.read_bytes()).get("model_type")
        if family not in FAMILIES:
            known = " or ".join(f"{model_type} ({name})" for model_type, name in FAMILIES.items())
            raise WeightsError(f"{config}: the model_type is {family}, and must be {known}")
        self.model = next(model for model in TEXT_MODELS if model.name == FAMILIES[family])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count() or 1
        options.enable_cpu_mem_arena = False  # it would keep the memory of the longest batch
        self._session: Any = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.model.context)
        self._lock = threading.Lock()
        self._check_interface(graph)

    def embed(self, texts: Sequence[str], *, is_query: bool = False) -> list[Array]:
        """Return the unit vector of each text, with all of the model's dimensions.

        A text above the context is cut at its end, as the model's tokenizer does it, and a warning is logged.
        """
        vectors: list[Array] = []
        for start in range(0, len(texts), READ_AHEAD):
            vectors += self._embed_sorted([prepare(text, is_query) for text in texts[start : start + READ_AHEAD]])
        return vectors

    def _embed_sorted(self, texts: list[str]) -> list[Array]:
        encodings = self._tokenizer.encode_batch(texts)
        if cut := sum(bool(encoding.overflowing) for encoding in encodings):
            message = "%d of %d texts are longer than the %d tokens that %s reads; their ends are cut"
            logger.warning(message, cut, len(texts), self.model.context, self.model.name)
        tokens = [encoding.ids for encoding in encodings]
        vectors: list[Array] = [np.empty(0, np.float32)] * len(texts)
        for batch in batches([len(ids) for ids in tokens]):
            for position, vector in zip(batch, self._run([tokens[position] for position in batch]), strict=True):
                vectors[position] = vector
        return vectors

    def _run(self, tokens: Sequence[Sequence[int]]) -> Array:
        """Return the vectors of a batch."""
        lengths = np.array([len(ids) for ids in tokens])
        mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
        padded = np.zeros_like(mask)
        padded[mask == 1] = np.concatenate(tokens)
        with self._lock:
            (states,) = self._session.run([OUTPUT], {"input_ids": padded, "attention_mask": mask})
        last = states[np.arange(len(tokens)), lengths - 1].astype(np.float32)
        pooled: Array = last / np.linalg.norm(last, axis=1, keepdims=True)
        return pooled

    def _check_interface(self, graph: Path) -> None:
        inputs = sorted(tensor.name for tensor in self._session.get_inputs())
        outputs = {tensor.name: tensor.shape for tensor in self._session.get_outputs()}
        if inputs != INPUTS or OUTPUT not in outputs:
            raise WeightsError(
                f"{graph}: expected the inputs {', '.join(INPUTS)} and the output {OUTPUT}; "
                f"found the inputs {', '.join(inputs)} and the outputs {', '.join(outputs)}"
            )
        width = outputs[OUTPUT][-1]
        if isinstance(width, int) and width != self.model.dimensions:
            raise WeightsError(f"{graph}: its vectors have {width} numbers, those of {self.model.name} {self.model.dimensions}")


class WeightedStandIn(StandIn):
    """Weights for the texts of the models of their vector space, and a stand-in for everything else."""

    def __init__(self, weights: Weights, other: StandIn) -> None:
        self._weights, self._other = weights, other
        self.space = weights.model.space
        self.label = f"{weights.model.name} (Jina's weights), else {other.label}"
        names = [f".{model.name}" for model in MODELS if isinstance(model, EmbeddingModel) and model.space == self.space]
        others = ", ".join(model.endpoint for model in MODELS if model.endpoint not in names)
        self.notice = (
            f"Texts sent to {' and '.join(names)} are embedded with Jina's weights: {LICENCE}.\n"
            f"A stand-in, {other.label}, answers for {others}: these are not Jina's vectors and scores."
        )

    def embed(self, texts: Sequence[str], *, is_query: bool = False, space: str | None = None) -> list[Array]:
        """Return the unit vectors of texts, by the weights if the vector space is theirs."""
        if space == self.space:
            return self._weights.embed(texts, is_query=is_query)
        return self._other.embed(texts, is_query=is_query)

    def rerank(self, query: str, documents: Sequence[str], *, listwise: bool) -> list[float]:
        """Return the scores of the stand-in."""
        return self._other.rerank(query, documents, listwise=listwise)


@functools.cache
def load(model: str) -> StandIn:
    """Return the stand-in of this name, or one with the weights of this folder, file or name on the hub; one per process.

    Raises:
        WeightsError: There is no such stand-in, folder or name, or the files cannot be used.
        ImportError: A package is missing.
    """
    names: tuple[ModelName, ...] = get_args(ModelName)
    for name in names:
        if model == name:
            return standin.load(name)
    if "/" not in model and not Path(model).exists():
        raise WeightsError(
            f"model={model!r}: choose {', '.join(names)}, a folder or file with Jina's weights, or their name on the hub, "
            f"such as {HUGGING_FACE}{FAMILIES['eurobert']}{ADAPTER}"
        )
    return WeightedStandIn(Weights(model), standin.load("auto"))


def missing_extra(error: ModuleNotFoundError) -> ImportError:
    return ImportError(f'Jina\'s weights need {error.name}: pip install "jina-eis[local,models]"', name=error.name)


def find_files(place: Path) -> tuple[Path, Path, Path]:
    """Return the paths of the model, of its tokenizer and of its configuration."""
    if place.is_file():
        folder, graphs = place.parent, [place]
        if not (folder / "config.json").exists():  # the model is in the folder `onnx` of the others
            folder = folder.parent
    else:
        folder, graphs = place, [place / name for name in MODEL_FILES]
    graph = next((path for path in graphs if path.is_file()), None)
    tokenizer, config = folder / "tokenizer.json", folder / "config.json"
    missing = [] if graph else [f"an ONNX file ({', '.join(MODEL_FILES)})"]
    missing += [path.name for path in (tokenizer, config) if not path.is_file()]
    if graph is None or missing:
        raise WeightsError(f"{folder} has no {', no '.join(missing)}. Download the files of {HUGGING_FACE}…{ADAPTER}.")
    return graph, tokenizer, config


def download(name: str) -> Path:
    """Fetch the files of a repository of the hub, unless they are here, and return their folder, or the file that is named."""
    match = HUB_NAME.fullmatch(name)
    if match is None:
        raise WeightsError(f"{name}: there is no such folder or file, and it is not a name on the hub")
    repository, file = match["repository"], (match["file"] or "/onnx/model.onnx")[1:]
    if repository in (HUGGING_FACE + model for model in FAMILIES.values()):
        repository += ADAPTER
    try:
        import huggingface_hub
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    patterns = ["config.json", "tokenizer.json", f"{file}*"]
    try:
        folder = Path(huggingface_hub.snapshot_download(repository, allow_patterns=patterns))
    except OSError as error:
        reason = " ".join(str(error).split())
        raise WeightsError(f"{repository} cannot be fetched from the hub, and there is no such folder: {reason}") from error
    return folder / file if match["file"] else folder


def prepare(text: str, is_query: bool) -> str:
    """Return the text with the prefix of its role; a lone surrogate, which UTF-8 cannot encode, becomes a question mark."""
    return (QUERY if is_query else DOCUMENT) + text.encode("utf-8", "replace").decode("utf-8")


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the positions of texts of similar length, at most BATCH_TOKENS with their padding in a batch."""
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[position] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch
