"""A tiny ONNX model with the interface of Jina's text models, its tokenizer, and what it computes, in numpy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

WORDS = ("[UNK]", "[END]", "Document:", "Query:", "glacier", "bread", "ice", "flows", "salt", "rises", "yeast", "moves")
WIDTHS = {"eurobert": 768, "qwen3": 1024}
SCALE = np.float32(1 / 64)  # of the weights as int8


class TinyWeights:
    """A folder as published, and the vectors that its model computes.

    The state of a token is its row of a table, plus the mean of the rows of all tokens that the mask admits. The mask and the
    order of the tokens therefore matter, as in the real models.
    """

    def __init__(self, folder: Path, family: str = "eurobert", *, int8: bool = False, width: int | None = None) -> None:
        self.folder = folder
        random = np.random.default_rng(7)
        steps = random.integers(-127, 128, (len(WORDS), width or WIDTHS[family]), dtype=np.int8)
        self.table = steps.astype(np.float32) * SCALE
        (folder / "onnx").mkdir(parents=True)
        self.file = folder / "onnx" / ("model_quantized.onnx" if int8 else "model.onnx")
        save(self.file, steps if int8 else self.table)
        (folder / "config.json").write_text(json.dumps({"model_type": family}), encoding="utf-8")
        tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = WhitespaceSplit()
        tokenizer.post_processor = TemplateProcessing(single="$A [END]", special_tokens=[("[END]", 1)])
        tokenizer.enable_padding(length=16)  # files may come with padding, which must not be used
        tokenizer.save(str(folder / "tokenizer.json"))

    def vectors(self, texts: Sequence[str], prefix: str, context: int) -> np.ndarray:
        """Return the unit vectors of texts, each computed alone."""
        vectors = []
        for text in texts:
            words = (prefix + text).split()[: context - 1]
            ids = [*(WORDS.index(word) if word in WORDS else 0 for word in words), 1]
            rows = self.table[ids].astype(np.float64)
            last = rows[-1] + rows.mean(axis=0) + rows[0] / len(ids)
            vectors.append(last / np.linalg.norm(last))
        return np.array(vectors)


def save(path: Path, table: np.ndarray, *, inputs: Sequence[str] = ("input_ids", "attention_mask")) -> None:
    """Write the model; a table of int8 is dequantised in the model."""
    as_floats = ("DequantizeLinear", ["table", "scale"]) if table.dtype == np.int8 else ("Identity", ["table"])
    nodes = [
        helper.make_node(*as_floats, ["floating_table"]),
        helper.make_node("Gather", ["floating_table", "input_ids"], ["rows"]),
    ]
    mask = "attention_mask" if "attention_mask" in inputs else inputs[-1]
    nodes += [
        helper.make_node("Cast", [mask], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["floats", "last_axis"], ["weights"]),
        helper.make_node("Mul", ["rows", "weights"], ["admitted"]),
        helper.make_node("ReduceSum", ["admitted", "middle_axis"], ["sum"]),
        helper.make_node("ReduceSum", ["weights", "middle_axis"], ["count"]),
        helper.make_node("Slice", ["rows", "zero", "one", "middle_axis"], ["first"]),
        helper.make_node("Add", ["sum", "first"], ["sum_and_first"]),
        helper.make_node("Div", ["sum_and_first", "count"], ["mean"]),
        helper.make_node("Add", ["rows", "mean"], ["last_hidden_state"]),
    ]
    constants = {"last_axis": [2], "middle_axis": [1], "zero": [0], "one": [1]}
    initializers = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()]
    initializers += [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array(SCALE), "scale")]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in inputs],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "sequence", table.shape[1]])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
