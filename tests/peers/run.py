"""What others have written for Elasticsearch, run on the embedded EIS and counted: `nox -s peers`.

The tests of langchain-elasticsearch come from a checkout of its repository, which is fetched and never part of this project;
those of LlamaIndex's store and of the client's helpers are tests of this project. A test is refused if it ends with a 501.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from jina_eis.local import LocalEIS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OURS = {
    "cases of LlamaIndex's ElasticsearchStore": "tests/integration_tests/local/test_llama_index_store.py",
    "helpers of the client": "tests/integration_tests/local/test_client_helpers.py",
}
COLUMNS = ("passed", "refused", "wrong", "skipped")


def main(checkout: Path) -> int:
    """Run the suites, print how many tests passed, were refused and were wrong. 1 if any was wrong, or a suite did not run."""
    with LocalEIS(model="hash") as eis:
        suites = {
            "tests of langchain-elasticsearch": run(
                checkout / "libs" / "elasticsearch", ["tests/integration_tests", "-o", "addopts="], ES_URL=eis.url
            )
        }
    for name, path in OURS.items():
        suites[name] = run(ROOT, [path, "--runxfail", "-n0"])
    print(f"{'suite':<44}" + "".join(f"{column:>9}" for column in COLUMNS))
    for name, tests in suites.items():
        counts = Counter(verdict for verdict, _ in tests.values())
        print(f"{name:<44}" + "".join(f"{counts[column]:>9}" for column in COLUMNS))
    details = [(verdict, detail) for tests in suites.values() for verdict, detail in tests.values()]
    for name, count in Counter(detail for verdict, detail in details if verdict == "refused").most_common():
        print(f"{count:>6}  501: {name}")
    for tests in suites.values():
        for test, (verdict, detail) in tests.items():
            if verdict in ("wrong", "skipped"):
                print(f"{verdict}: {test}: {detail}")
    return int(not all(suites.values()) or any(verdict == "wrong" for verdict, _ in details))


def run(folder: Path, arguments: list[str], **variables: str) -> dict[str, Any]:
    """The verdict on each test of a suite, and what it is about."""
    with tempfile.TemporaryDirectory() as scratch:
        verdicts = Path(scratch) / "verdicts.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "verdicts", *arguments]
        path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, **variables, "PYTHONPATH": path, "JINA_EIS_VERDICTS": str(verdicts)}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)
        if not verdicts.exists():
            print(f"pytest ended without a verdict in {folder}:\n{(done.stdout + done.stderr)[-3000:]}")
            return {}
        return dict(json.loads(verdicts.read_text("utf-8")))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
