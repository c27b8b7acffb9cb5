"""Parts on a Ray cluster, one task for each. They are read and written here, so that a job resumes as on one machine."""

from __future__ import annotations

import re
import socket
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import Any, TypeAlias

from ..errors import ConfigurationError, JinaEISError
from .columns import load
from .service import EmbeddingService
from .sources import Row

__all__ = ["embed_on_ray", "embed_part"]

Outcome: TypeAlias = "array[float] | JinaEISError | None"

HOST_AND_PORT = re.compile(r"(?:ray://)?\[?([^/\[\]]+)\]?:(\d{1,5})")
CONNECT_SECONDS = 5.0  # Ray itself waits for minutes, and prints lines of its own


def embed_on_ray(
    parts: Iterator[tuple[int, list[Row]]], service: EmbeddingService, address: str | None, patience: float | None
) -> Iterator[tuple[int, list[Row], Sequence[Outcome]]]:
    """Yield each part with the outcome of each of its rows, None for a row without a text.

    Args:
        parts: The rows of each part, by its number. Read as tasks are free: two for each CPU of the cluster.
        service: Pickled to the workers, with its address and credentials.
        address: Address of an existing cluster; None for one on this machine, or Ray's own settings.
        patience: Seconds in which a request is retried; None for the limits of the settings.

    Raises:
        ConfigurationError: no cluster listens at the address.
        JinaEISError: a part failed, or Ray lost its worker for good.
    """
    first = next(parts, None)
    if first is None:  # Ray takes seconds to start
        return
    parts = chain([first], parts)
    ray = load("ray", "ray")
    mine = not ray.is_initialized()
    if mine:
        check_listening(address)
        try:
            ray.init(address=address, log_to_driver=False, include_dashboard=False if address is None else None)
        except (ConnectionError, ValueError) as error:  # no cluster, or no address
            if address is None:
                raise
            raise _unreachable(address, str(error)) from error
    try:
        task = ray.remote(embed_part)
        limit = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
        running: deque[tuple[int, list[Row], Any]] = deque()
        for number, rows in parts:
            if len(running) == limit:
                yield _result(ray, *running.popleft())
            texts = [row.text if row.problem is None else None for row in rows]
            running.append((number, rows, task.remote(service, texts, patience)))
        while running:
            yield _result(ray, *running.popleft())
    finally:
        if mine:
            ray.shutdown()


def check_listening(address: str | None) -> None:
    """Raise ConfigurationError if the address of a cluster has a host and a port, and nothing listens there."""
    if match := HOST_AND_PORT.fullmatch(address or ""):
        try:
            socket.create_connection((match[1], int(match[2])), CONNECT_SECONDS).close()
        except (OSError, OverflowError, UnicodeError) as error:
            raise _unreachable(address, str(error)) from error


def _unreachable(address: str | None, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"No Ray cluster can be reached at {address}: {reason.rstrip('.')}. Start one there with `ray start --head`, or leave "
        "address out for one on this machine."
    )


def _result(ray: Any, number: int, rows: list[Row], reference: Any) -> tuple[int, list[Row], Sequence[Outcome]]:
    try:
        outcomes = ray.get(reference)
    except ray.exceptions.RayError as error:
        reason = getattr(error, "cause", None) or error
        problem = f"Ray did not embed part {number}: {type(reason).__name__}: {str(reason).rstrip('.')}"
        raise JinaEISError(f"{problem}. The complete parts are kept: start the job again to resume it.") from error
    if isinstance(outcomes, JinaEISError):
        raise outcomes
    return number, rows, outcomes


def embed_part(service: EmbeddingService, texts: list[str | None], patience: float | None) -> list[Outcome] | JinaEISError:
    """Embed the texts of a part, in a worker. An error of the whole part is returned: Ray would wrap it if it was raised."""
    present = [text for text in texts if text is not None]
    try:
        with closing(service.outcomes(present, patience=patience)) as outcomes:
            return [None if text is None else _compact(next(outcomes)) for text in texts]
    except JinaEISError as error:
        return error


def _compact(outcome: list[float] | JinaEISError) -> Outcome:
    """Return a vector in 4 bytes a number; a list takes 32 in memory, and 9 between processes."""
    return outcome if isinstance(outcome, JinaEISError) else array("f", outcome)
