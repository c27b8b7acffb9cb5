"""The folder of a job: complete parts, unfinished ones, and those of others."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from jina_eis.batch.ledger import Ledger, locked  # noqa: E402
from jina_eis.errors import ConfigurationError, InputError  # noqa: E402

JOB = {"model": "m", "input_type": "ingest", "dimensions": 2, "rows": 5, "part_rows": 2, "digest": "d"}


def _write(ledger: Ledger, number: int) -> None:
    schema = pa.schema([("vector", pa.list_(pa.float32(), 2)), ("error", pa.string())], metadata=ledger.metadata())
    rows = [([1.0, 2.0], None), (None, "no text")][: ledger.rows_of(number)]
    vectors, errors = zip(*rows, strict=True) if rows else ([], [])
    ledger.write(number, pa.table({"vector": vectors, "error": errors}, schema=schema))


def test_complete_parts_are_found(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, JOB)
    assert ledger.parts == 3
    assert [ledger.rows_of(number) for number in range(3)] == [2, 2, 1]
    _write(ledger, 0)
    _write(ledger, 2)
    assert ledger.complete() == {0: 1, 2: 0}, "with the number of failed rows"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-00000.parquet", "part-00002.parquet"]
    assert pq.read_schema(tmp_path / "part-00000.parquet").metadata[b"model"] == b"m"


def test_a_damaged_part_beyond_the_last_is_refused(tmp_path: Path) -> None:
    (tmp_path / "part-00003.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"part-00003.parquet is not a part of this job\. Choose an empty folder"):
        Ledger(tmp_path, JOB).complete()


def test_a_part_without_rows_has_no_row_group(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, {**JOB, "rows": 0})
    _write(ledger, 0)
    assert ledger.complete().keys() == {0}
    assert pq.read_metadata(tmp_path / "part-00000.parquet").num_row_groups == 0


def test_readers_ignore_unfinished_parts(tmp_path: Path) -> None:
    _write(Ledger(tmp_path, JOB), 0)
    (tmp_path / ".unfinished-part-00001").write_bytes(b"PAR1")
    assert pq.read_table(tmp_path).num_rows == 2
    assert len(pytest.importorskip("pandas").read_parquet(tmp_path)) == 2
    assert len(pytest.importorskip("polars").read_parquet(tmp_path / "*.parquet")) == 2


def test_unfinished_and_damaged_parts_are_not_complete(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, JOB)
    _write(ledger, 0)
    _write(ledger, 1)
    whole = (tmp_path / "part-00001.parquet").read_bytes()
    (tmp_path / "part-00001.parquet").write_bytes(whole[:-5])
    (tmp_path / ".unfinished-part-00002").write_bytes(whole[:50])
    assert ledger.complete().keys() == {0}
    assert not (tmp_path / ".unfinished-part-00002").exists()


def test_a_part_that_a_power_failure_damaged_is_not_complete(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, JOB)
    _write(ledger, 0)
    path = tmp_path / "part-00000.parquet"
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    lost = [b"", bytes(len(whole)), whole[:footer], whole[:footer] + bytes(len(whole) - footer)]
    for damaged in [*lost, bytes(len(whole) - 8) + whole[-8:], whole[:footer] + b"\xff" * 20 + whole[footer + 20 :]]:
        path.write_bytes(damaged)
        assert ledger.complete() == {}, "it is written again"
    _write(ledger, 0)
    assert path.read_bytes() == whole


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_an_error_that_names_the_part(tmp_path: Path) -> None:
    (tmp_path / ".unfinished-part-00001").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device: .*part-00001\.parquet") as raised:
        _write(Ledger(tmp_path, JOB), 1)
    assert raised.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_a_file_system_that_cannot_flush_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = os.fsync

    def flush_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", flush_files)
    _write(Ledger(tmp_path, JOB), 0)
    assert Ledger(tmp_path, JOB).complete().keys() == {0}


def test_a_part_that_cannot_be_read_is_not_written_again(tmp_path: Path) -> None:
    (tmp_path / "part-00000.parquet").mkdir()
    with pytest.raises(OSError, match="part-00000"):
        Ledger(tmp_path, JOB).complete()


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"model": "other"}, "model='m' instead of 'other'"),
        ({"digest": "e"}, "the same number of rows, but other ids or texts"),
        ({"rows": 6, "digest": "e"}, "rows=5 instead of 6"),
        ({"stand_in": "s"}, "stand_in=None instead of 's'"),
    ],
)
def test_another_job_is_refused_with_the_difference(tmp_path: Path, changed: dict[str, Any], difference: str) -> None:
    _write(Ledger(tmp_path, JOB), 0)
    with pytest.raises(ConfigurationError, match=difference):
        Ledger(tmp_path, {**JOB, **changed}).complete()


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").touch()
    assert Ledger(tmp_path, JOB).complete() == {}
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"notes\.txt"):
        Ledger(tmp_path, JOB).complete()


def test_a_part_of_another_program_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["x"]}), tmp_path / "part-00000.parquet")
    with pytest.raises(InputError, match="was not written by jina-eis embed"):
        Ledger(tmp_path, JOB).complete()


def test_one_job_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with locked(folder), pytest.raises(ConfigurationError, match="Another job"), locked(folder):
        pass
    with locked(folder):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = f"from jina_eis.batch.ledger import locked\nfrom pathlib import Path\nwith locked(Path({str(tmp_path)!r})): print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        with pytest.raises(ConfigurationError), locked(tmp_path):
            pass
        process.kill()
        process.wait()
    with locked(tmp_path):
        pass
