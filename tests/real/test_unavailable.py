"""Where the real node cannot start, its tests are skipped, with one line that states what is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
WITHOUT_JDK_FOLDERS = "import sys, pytest, real.node; real.node.JDK_FOLDERS = (); sys.exit(pytest.main(sys.argv[1:]))"
AS_IT_IS = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
MAVEN_FAILS = "#!/bin/sh\necho '[ERROR] Could not resolve org.elasticsearch:elasticsearch:jar:9.5.3: Unknown host'\nexit 1\n"


def skipped(program: str, home: Path, **variables: str) -> list[str]:
    """The lines about skipped tests, of a run of all others of this folder without the JDK and Maven of this environment."""
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}", "HOME": str(home), "PATH": "", **variables}
    environment = {name: value for name, value in environment.items() if not name.startswith(("PYTEST_", "JINA_EIS_TESTS_"))}
    command = [sys.executable, "-c", program, "-p", "no:cacheprovider", str(TESTS / "real"), f"--ignore={__file__}"]
    done = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ skipped in", done.stdout.splitlines()[-1]), done.stdout
    return [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]


def test_no_jdk(tmp_path: Path) -> None:
    (line,) = skipped(WITHOUT_JDK_FOLDERS, tmp_path, JAVA_HOME="")
    assert line.endswith("no real Elasticsearch: there is no JDK of 21 or newer: set JAVA_HOME to one")


def test_a_jdk_that_is_too_old(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "javac").touch()
    (tmp_path / "release").write_text('IMPLEMENTOR="someone"\nJAVA_VERSION="17.0.15"\n')
    (line,) = skipped(WITHOUT_JDK_FOLDERS, tmp_path, JAVA_HOME=str(tmp_path))
    assert line.endswith("no real Elasticsearch: there is no JDK of 21 or newer: set JAVA_HOME to one")


@pytest.fixture
def jdk(tmp_path: Path) -> str:
    """A folder that looks like a JDK: enough for what happens before a node starts."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "javac").touch()
    (tmp_path / "release").write_text('JAVA_VERSION="21"\n')
    return str(tmp_path)


def test_no_maven(jdk: str, tmp_path: Path) -> None:
    (line,) = skipped(AS_IT_IS, tmp_path, JAVA_HOME=jdk)
    assert line.endswith("no real Elasticsearch: there is no Maven (mvn) on PATH to fetch the jars of Elasticsearch 9.5.3")


def test_jars_that_cannot_be_fetched(jdk: str, tmp_path: Path) -> None:
    maven = tmp_path / "bin" / "mvn"
    maven.write_text(MAVEN_FAILS)
    maven.chmod(0o755)
    (line,) = skipped(AS_IT_IS, tmp_path, JAVA_HOME=jdk, PATH=f"{tmp_path / 'bin'}{os.pathsep}/bin{os.pathsep}/usr/bin")
    assert "no real Elasticsearch: Maven could not fetch the jars of Elasticsearch 9.5.3: Could not resolve" in line
    assert not [*(tmp_path / ".cache" / "jina-eis-tests").iterdir()]  # nothing half done is left
