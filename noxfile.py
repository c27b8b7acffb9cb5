"""Every supported combination: `nox`, or one of `nox -l`."""

import nox

nox.options.default_venv_backend = "uv|virtualenv"


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
@nox.parametrize("elasticsearch", ["8.19", "9"])
def tests(session: nox.Session, elasticsearch: str) -> None:
    """The test suite on one Python and one major version of the Elasticsearch client."""
    wanted = "elasticsearch>=8.19,<9" if elasticsearch == "8.19" else "elasticsearch>=9,<10"
    session.install(".[all,dev]", wanted)
    session.run("pytest", *session.posargs)


@nox.session(python="3.10")
def oldest(session: nox.Session) -> None:
    """The test suite with the oldest supported release of LlamaIndex's core."""
    session.install(".[all,dev]", "elasticsearch>=8.19,<9", "llama-index-core==0.13.0")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and format."""
    session.install("ruff>=0.12")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Strict types of the three packages."""
    session.install(".[all,dev]")
    session.run("mypy")
