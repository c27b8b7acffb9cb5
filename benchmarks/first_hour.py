"""Do what a new user does: a fresh environment, the install line of a page, the embedded EIS, and the blocks of the page.

    python benchmarks/first_hour.py [--page docs/app-langchain.md ...] [--uv]

Installs the checkout with the first install line of each page, starts `jina-eis serve` and runs the Python blocks from top to
bottom, as a reader pastes them. Prints the seconds of the parts, and for the applications those until the first cited answer,
which should be 60 at most with a warm cache of packages. Fails if a block fails or prints something else than the page shows.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "docs"))

from pages import Block, blocks  # noqa: E402 - a module of the tests

PAGES = ("README.md", "docs/app-langchain.md", "docs/app-llama-index.md")
NUMBER = re.compile(r"-?\d+\.\d+")
SERVING = re.compile(r"http://[\d.:a-z]+")
RUN_BLOCKS = """
import ast, asyncio, inspect, json, sys
names = {"__name__": "__main__"}
for line in sys.stdin:
    code = compile(json.loads(line), "page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    asyncio.run(eval(code, names)) if code.co_flags & inspect.CO_COROUTINE else exec(code, names)
    print("\\x00", flush=True)
"""


def install(page: Path, environment: Path, with_uv: bool) -> None:
    """Create an environment and run the install lines of the page in it."""
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    lines = [line for block in blocks(page, "bash") for line in block.code.splitlines() if line.startswith("pip install")]
    for line in lines if page.name != "README.md" else lines[1:3]:  # the README also installs everything, for its demo
        packages = [re.sub(r"^\.(?=\[|$)", str(ROOT), word) for word in shlex.split(line)[2:]]
        pip = ["uv", "pip", "install", "--python", str(environment / "bin/python")]
        subprocess.run([*(pip if with_uv else [str(environment / "bin/pip"), "install"]), "--quiet", *packages], check=True)


def run(page: Path, folder: Path, url: str) -> float:
    """Run the blocks of a page, and compare what they print. Returns the seconds until the first output with a citation."""
    began, cited = time.monotonic(), 0.0
    environment = {**os.environ, "ES_URL": url, "PYTHONUNBUFFERED": "1"}
    environment.pop("PYTHONPATH", None)
    python = [str(folder / "environment/bin/python"), "-W", "ignore", "-c", RUN_BLOCKS]
    with subprocess.Popen(
        python, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        for block in blocks(page, "python"):
            process.stdin.write(json.dumps(block.code) + "\n")
            process.stdin.flush()
            lines = []
            while (line := process.stdout.readline()) != "\x00\n":
                if not line:
                    raise SystemExit(f"{page.name}, line {block.line}: the block failed.")
                lines.append(line)
            check(page, block, "".join(lines))
            if not cited and re.search(r"^\[\d+\] ", "".join(lines), re.MULTILINE):
                cited = time.monotonic() - began
        process.stdin.close()
    return cited


def check(page: Path, block: Block, printed: str) -> None:
    """Compare what a block printed with what the page shows."""
    if block.output is not None and NUMBER.split(printed) != NUMBER.split(block.output):
        raise SystemExit(f"{page.name}, line {block.line} printed:\n{printed}")


def measure(page: Path, with_uv: bool) -> None:
    """Print the times of one page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "examples", folder / "examples")
        began = time.monotonic()
        install(page, folder / "environment", with_uv)
        installed = time.monotonic() - began
        serve = [str(folder / "environment/bin/jina-eis"), "serve", "--port", "0", "--data", str(folder / "eis-data")]
        with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
            assert server.stdout
            try:
                url = next(match[0] for line in server.stdout if (match := SERVING.search(line)))
                cited = run(page, folder, url)
            finally:
                server.kill()
        total = time.monotonic() - began
        answer = f", first cited answer after {total if not cited else installed + cited:.0f} s" if cited else ""
        print(f"{page.relative_to(ROOT)}: installed in {installed:.0f} s, all in {total:.0f} s{answer}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="append", help=f"default: {', '.join(PAGES)}")
    parser.add_argument("--uv", action="store_true", help="install with uv")
    arguments = parser.parse_args()
    for page in arguments.page or PAGES:
        measure(ROOT / page, arguments.uv)
