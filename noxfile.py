"""Checks and tests of every supported combination. `nox` runs the default sessions, `nox -l` lists all."""

from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "docs", "tests", "oldest", "oldest_langchain", "extras"]

OLD_CLIENT = "elasticsearch>=8.19,<9"
NEW_CLIENT = "elasticsearch>=9,<10"
PEER = "1.0.0"  # version of langchain-elasticsearch; like LlamaIndex's store it takes only version 8 of the client
LLAMA_INDEX_STORE = "llama-index-vector-stores-elasticsearch>=0.7,<0.8"


@nox.session(python=["3.11", "3.12", "3.13"])
@nox.parametrize("elasticsearch", ["8.19", "9"])
def tests(session: nox.Session, elasticsearch: str) -> None:
    """The test suite on one Python and one major version of the Elasticsearch client, with the newest frameworks."""
    session.install(".[all,dev]", OLD_CLIENT if elasticsearch == "8.19" else NEW_CLIENT)
    session.run("pytest", *session.posargs)


@nox.session(python="3.14")
def tests_314(session: nox.Session) -> None:
    """The test suite on Python 3.14, which is not supported yet and not among the default sessions."""
    session.install(".[all,dev]")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """The test suite with the oldest supported LlamaIndex and client, and with LlamaIndex's Elasticsearch store."""
    session.install(".[all,dev]", OLD_CLIENT, "llama-index-core==0.13.0", LLAMA_INDEX_STORE)
    session.run("pytest", "--ignore=tests/packaging", "--ignore=tests/notebooks", *session.posargs)


@nox.session(python="3.11")
def oldest_langchain(session: nox.Session) -> None:
    """The oldest supported frameworks, without LangChain's standard tests: those need a newer langchain-core."""
    session.install(".[all]", *OLDEST_LANGCHAIN)
    session.run("pytest", *WITHOUT_SUITES, *session.posargs)


OLDEST_LANGCHAIN = [
    *("elasticsearch==8.19.0", "langchain-core==0.3.20", "llama-index-core==0.13.0"),
    *("hypothesis", "openapi-schema-validator", "pillow", "pytest", "pytest-asyncio>=1.3"),
]
WITHOUT_SUITES = [
    *("tests/unit_tests", "tests/integration_tests", "tests/chaos"),
    "--ignore-glob=*/test_standard.py",
    "--ignore=tests/unit_tests/contents/test_inputs.py",  # it needs the content blocks of LangChain 1
]


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format and import contracts."""
    session.install("-e", ".[all]", "import-linter>=2.5", "ruff>=0.12")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Strict types of the packages, and type checks of sample user code."""
    session.install(".[all,dev]")
    session.run("mypy")
    session.run("pytest", "tests/packaging/test_types.py")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, in site/."""
    session.install(".[all,docs]")
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def notebooks(session: nox.Session) -> None:
    """The notebooks, from top to bottom."""
    session.install(".[all,dev]")
    session.run("pytest", "tests/notebooks")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Speed and quality compared with other clients. Needs an otherwise idle machine and 15 minutes."""
    session.install(".[all]", "llama-index-embeddings-jinaai", "langchain-openai")
    session.run("python", "benchmarks/throughput.py", success_codes=[0, 1])
    session.run("python", "benchmarks/local.py", success_codes=[0, 1])
    session.install("langchain-elasticsearch>=1,<2")  # with version 8.19 of the client
    session.run("python", "benchmarks/ingest.py", success_codes=[0, 1])
    session.run("python", "benchmarks/rerank_quality.py")
    session.run("python", "benchmarks/quota.py", success_codes=[0, 1])


@nox.session
def corpora(session: nox.Session) -> None:
    """`jina-eis embed` killed fifty times and over a million texts, and `EmbedBatch` on Ray. Needs 20 minutes."""
    session.install(".[local,ray]")
    session.run("python", "benchmarks/kills.py")
    session.run("python", "benchmarks/corpus.py", success_codes=[0, 1])
    session.run("python", "benchmarks/ray_workers.py", success_codes=[0, 1])


@nox.session
def first_hour(session: nox.Session) -> None:
    """What a new user does: the install line of the README and of each application, and then their blocks."""
    session.run("python", "benchmarks/first_hour.py", *session.posargs)


@nox.session
def engines(session: nox.Session) -> None:
    """The callables and parts of jina_eis.batch on every engine and reader that they are made for. Spark needs Java 17."""
    session.install(".[all,batch,dev,ray]", "dask[dataframe]", "datasets", "duckdb", "fastparquet", "pyspark>=4")
    session.run("pytest", "-n0", "tests/engines", *session.posargs)


@nox.session
@nox.parametrize("extra", ["", "langchain", "llama-index", "local", "pdf"])
def extras(session: nox.Session, extra: str) -> None:
    """The wheel with one extra, outside the checkout. Its modules work; the others name the missing extra."""
    folder = Path(session.create_tmp())
    session.install("build")
    session.run("python", "-m", "build", "--wheel", "--outdir", str(folder), ".", silent=True)
    wheel = max(folder.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    session.install("--force-reinstall", f"{wheel}[{extra}]" if extra else str(wheel))
    session.cd(folder)
    Path("report.pdf").write_bytes(ONE_PAGE)
    session.run("python", "-c", CHECK_ONE_EXTRA, extra)


ONE_PAGE = b"""%PDF-1.4
1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj
2 0 obj << /Type /Pages /Kids [3 0 R] /Count 1 >> endobj
3 0 obj << /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >> endobj
trailer << /Root 1 0 R >>
"""
CHECK_ONE_EXTRA = """
import sys
import jina_eis
jina_eis.doctor(es_url="http://127.0.0.1:9")
imports = {"langchain": "from langchain_jina_eis import *",
           "llama-index": "from llama_index_jina_eis import *; from llama_index.embeddings.jina_eis import *; "
                          "from llama_index.postprocessor.jina_eis_rerank import *; "
                          "from llama_index.readers.jina_eis import *; from llama_index.retrievers.jina_eis import *",
           "pdf": "from jina_eis.contents import Medium, count_pages, page_image; from pathlib import Path; "
                  "report = Medium.from_bytes(Path('report.pdf').read_bytes()); count_pages(report); page_image(report, 1, 72)",
           "local": "from jina_eis.local import LocalEIS; LocalEIS().start().stop()"}
for extra, statement in imports.items():
    if extra == sys.argv[1]:
        exec(statement)
        continue
    try:
        exec(statement)
    except ImportError as error:
        assert f'pip install "jina-eis[{extra}]"' in str(error), error
    else:
        raise AssertionError(f"{statement} works without {extra}")
print("ok")
"""


@nox.session(python="3.11")
def peers(session: nox.Session) -> None:
    """Tests of the stores of both frameworks and of the client's helpers, on the embedded EIS, counted. `-- REPOSITORY` fetches
    langchain-elasticsearch from elsewhere than GitHub."""
    tag, repository = f"libs/elasticsearch/v{PEER}", (session.posargs or ["https://github.com/langchain-ai/langchain-elastic"])[0]
    folder = Path(session.create_tmp()) / f"langchain-elastic-{PEER}"
    if not folder.exists():
        clone = ("git", "clone", "--quiet", "--depth=1", "--branch", tag, repository, str(folder))
        session.run(*clone, external=True, silent=True, success_codes=[0, 128])
    if not folder.exists():
        session.skip(f"{repository} cannot be reached: the tests of langchain-elasticsearch are fetched from there")
    session.install(".[all,dev]", OLD_CLIENT, f"langchain-elasticsearch=={PEER}", LLAMA_INDEX_STORE, "pytest-mock", "syrupy")
    session.run("python", "tests/peers/run.py", str(folder))


@nox.session
def real(session: nox.Session) -> None:
    """The retrievers on the real Elasticsearch, where there is a JDK of 21 or newer and Maven."""
    session.install(".[all,dev]")
    session.run("pytest", "tests/real", *session.posargs)
