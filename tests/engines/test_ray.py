"""Ray looks for a route to a public address, so it runs in a network namespace with nothing but the loopback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from page import code_of

pytest.importorskip("ray")
ISOLATED = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def test_ray(tmp_path: Path) -> None:
    if subprocess.run([*ISOLATED, "true"], capture_output=True).returncode:
        pytest.skip("this system allows no network namespace, in which Ray would run")
    (tmp_path / "page.py").write_text(code_of("Ray"), encoding="utf-8")
    program = str(Path(__file__).parent / "on_ray.py")
    ran = subprocess.run(
        [*ISOLATED, sys.executable, program, str(tmp_path / "page.py")], capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr[-3_000:]
