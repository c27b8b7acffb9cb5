"""The plots of the notebooks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

plt.rcParams.update({"figure.dpi": 90, "font.size": 11, "axes.spines.top": False, "axes.spines.right": False})
BLUE, GREY = "#0072b2", "#999999"


def cosine_table(
    questions: Sequence[Sequence[float]], documents: Sequence[Sequence[float]], rows: list[str], columns: list[str]
) -> None:
    """Show the cosine of each question and document; the highest of each question is white on blue."""
    cosines = np.array(questions) @ np.array(documents).T
    _, axes = plt.subplots(figsize=(7, 2.8))
    axes.imshow(cosines, cmap="Blues", vmin=cosines.min() - 0.1)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    for row, column in np.ndindex(*cosines.shape):
        colour = "white" if column == cosines[row].argmax() else "black"
        axes.text(column, row, f"{cosines[row, column]:.2f}", ha="center", va="center", color=colour)
    axes.set_title("Cosine of question and document", loc="left")
    for spine in axes.spines.values():
        spine.set_visible(False)
    plt.show()


def pictures(files: Mapping[str, Path]) -> None:
    """Show images in a row, each with its name."""
    _, row = plt.subplots(1, len(files), figsize=(1.4 * len(files), 1.7), squeeze=False, layout="constrained")
    for axes, (name, path) in zip(row[0], files.items()):
        axes.imshow(plt.imread(path))
        axes.set_title(name, fontsize=9)
        axes.axis("off")
    plt.show()


def bars(shares: Mapping[str, float], title: str) -> None:
    """Show shares of 1 as horizontal bars; blue where the name contains "reranked"."""
    _, axes = plt.subplots(figsize=(7, 0.5 * len(shares) + 0.6))
    colours = [BLUE if "reranked" in name else GREY for name in shares]
    axes.bar_label(axes.barh(list(shares), list(shares.values()), color=colours), fmt="{:.0%}", padding=3)
    axes.set_xlim(0, 1.1)
    axes.set_xticks([])
    axes.invert_yaxis()
    axes.spines["bottom"].set_visible(False)
    axes.set_title(title, loc="left", fontsize=11)
    plt.show()
