"""The first calls of a process, which import the client: threads and event loops that begin at once."""

from __future__ import annotations

import subprocess
import sys

from jina_eis.local import LocalEIS

PROGRAM = """
import asyncio, sys, threading
from langchain_jina_eis import JinaEISEmbeddings

embeddings = JinaEISEmbeddings(es_url=sys.argv[1])
start = threading.Barrier(10)
failed = []

def call(embed):
    start.wait()
    try:
        embed()
    except BaseException as error:
        failed.append(repr(error))

jobs = [lambda: embeddings.embed_query("ice")] * 8 + [lambda: asyncio.run(embeddings.aembed_query("ice"))] * 2
threads = [threading.Thread(target=call, args=[job]) for job in jobs]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(failed)
"""


def test_threads_and_loops_import_the_client_at_once(eis: LocalEIS) -> None:
    process = subprocess.run([sys.executable, "-c", PROGRAM, eis.url], capture_output=True, text=True, check=True)
    assert process.stdout == "[]\n"
