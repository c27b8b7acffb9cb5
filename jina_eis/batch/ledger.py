"""The folder of a job: which parts are complete, and whose they are.

A folder holds parts and nothing else. A part is written under another name, flushed to the disk and renamed, so one that has
its name is complete, whenever the process is killed. Every part carries the description of its job, which a resumed job must
equal. The lock is on the folder itself and ends with the process.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError, InputError
from .columns import load

__all__ = ["Ledger", "Summary"]

KEY = b"jina_eis_job"
PART = re.compile(r"part-(\d{5,})\.parquet")
UNFINISHED = re.compile(r"\.unfinished-part-\d{5,}")  # readers skip a hidden file; polars does, given `*.parquet`
ERROR = "error"  # the column with the reason of a row without a vector


@dataclass(frozen=True, slots=True)
class Summary:
    """What a job has done.

    Attributes:
        rows: Rows of the input; for an index, the documents that they are.
        resumed: Rows whose parts were complete before.
        failed: Rows whose vector is null; their reason is in the column `error`.
        parts: Number of parts.
        repeated: Rows that are not documents of their own, as they equal another row or have its id.
    """

    rows: int
    resumed: int
    failed: int
    parts: int
    repeated: int = 0


class Ledger:
    """The parts of one job.

    Args:
        folder: The folder. It is created if it is missing.
        job: The description of the job: values of JSON by name. `rows` and `part_rows` determine the parts.
    """

    def __init__(self, folder: Path, job: Mapping[str, Any]) -> None:
        self.folder, self.job = folder, dict(job)

    @property
    def parts(self) -> int:
        """Number of parts. An input without rows has one, so that the folder has a schema."""
        return max(1, math.ceil(int(self.job["rows"]) / int(self.job["part_rows"])))

    def rows_of(self, number: int) -> int:
        """Return how many rows a part has."""
        return int(min(self.job["part_rows"], self.job["rows"] - number * self.job["part_rows"]))

    def metadata(self) -> dict[bytes, bytes]:
        """Return the metadata of the schema, which are the same for all parts."""
        single = {name: self.job[name] for name in ("model", "input_type", "dimensions", "inference_id") if name in self.job}
        return {
            KEY: json.dumps(self.job, sort_keys=True).encode(),
            **{name.encode(): str(value).encode() for name, value in single.items()},
        }

    def complete(self) -> dict[int, int]:
        """Return the numbers of the complete parts, each with how many of its rows failed. What was left unfinished is removed.

        Raises:
            ConfigurationError: the folder holds parts of another job; the error names the difference.
            InputError: it holds other files.
        """
        parts = {}
        for path in sorted(self.folder.iterdir()):
            if UNFINISHED.fullmatch(path.name):
                path.unlink()
            elif match := PART.fullmatch(path.name):
                if (failed := self._failed_rows(path, int(match[1]))) is not None:
                    parts[int(match[1])] = failed
                elif int(match[1]) >= self.parts:
                    raise InputError(f"{path} is not a part of this job. Choose an empty folder.")
            elif not path.name.startswith("."):
                raise InputError(f"{self.folder} holds {path.name}, which is not a part of a job. Choose an empty folder.")
        return parts

    def write(self, number: int, table: Any) -> None:
        """Write a part, completely or not at all.

        Raises:
            OSError: it cannot be written, such as on a full disk; the error names the part.
        """
        path = self.folder / f"part-{number:05d}.parquet"
        unfinished = path.with_name(f".unfinished-{path.stem}")
        try:
            with unfinished.open("wb") as file:
                _write_parquet(table, file)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            _flush_folder(self.folder)
        except OSError as error:  # that of a write has no name
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        finally:
            unfinished.unlink(missing_ok=True)  # a full disk needs the room

    def _failed_rows(self, path: Path, number: int) -> int | None:
        """Return how many rows of a part have an error; None if the part is not complete.

        Raises:
            ConfigurationError: the part is that of another job.
            InputError: the file is not a part.
        """
        pa, parquet = load("pyarrow"), load("pyarrow.parquet")
        with path.open("rb") as file:
            try:
                footer = parquet.read_metadata(file)
            except pa.ArrowException:  # cut off by a file system that lost power
                return None
            except OSError as error:
                if error.errno is None:  # pyarrow's own, for a footer that is not one
                    return None
                raise
        stored = (footer.metadata or {}).get(KEY)
        if stored is None:
            raise InputError(f"{path} was not written by jina-eis embed. Choose an empty folder.")
        job = json.loads(stored)
        if job != self.job:
            advice = "Pass the arguments of that job to resume it, or choose another folder."
            raise ConfigurationError(f"{self.folder} holds a job with {_difference(job, self.job)}. {advice}")
        if number >= self.parts or footer.num_rows != self.rows_of(number):
            return None
        groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
        errors = footer.schema.names.index(ERROR)
        return sum(int(group.num_rows - group.column(errors).statistics.null_count) for group in groups)


def _write_parquet(table: Any, file: Any) -> None:
    """Write a table. One without rows becomes a file without row groups: Hugging Face datasets cannot read empty row groups."""
    # Dictionaries make vectors larger. Snappy and zstd gain little on vectors; zstd gains on texts.
    options = {"compression": "zstd", "use_dictionary": False}
    with load("pyarrow.parquet").ParquetWriter(file, table.schema, **options) as writer:
        if table.num_rows:
            writer.write_table(table)


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    changed = [name for name in {**before, **now} if name != "digest" and before.get(name) != now.get(name)]
    if not changed:
        return "the same number of rows, but other ids or texts in the input"
    return ", ".join(f"{name}={before.get(name)!r} instead of {now.get(name)!r}" for name in changed)


def _flush_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # of some network file systems, which flush names by themselves
                raise
        finally:
            os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create a folder if it is missing, and hold its lock.

    Raises:
        ConfigurationError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows, which cannot lock a folder
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(f"Another job is writing into {folder}. Wait for it, or choose another folder.") from None
        yield
    finally:
        os.close(descriptor)
