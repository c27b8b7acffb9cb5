"""One node of the real Elasticsearch, started on loopback from its published jars.

Knows JDK, Maven and the process of the node; must not know this library nor the embedded EIS. The jars are under Elastic's
licences: they are fetched into a cache folder of the user, and are never part of what this project distributes.
"""

from __future__ import annotations

import http.client
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

__all__ = ["RealNode", "Tools", "UnavailableError", "find_tools"]

VERSION = "9.5.3"  # others lack jars, or have other constructors
LEAST_JAVA = 21  # what the classes of Elasticsearch 9 are compiled for
HERE = Path(__file__).parent
HOST = "127.0.0.1"
CACHE_VARIABLE = "JINA_EIS_TESTS_CACHE"
FETCH_SECONDS = 180
START_SECONDS = 90
STOP_SECONDS = 20
JDK_FOLDERS = ("/usr/lib/jvm/*", "/Library/Java/JavaVirtualMachines/*/Contents/Home", "~/.sdkman/candidates/java/*")
# Below the ports that Linux and macOS give to clients. On one of those, a client that connects while the node is away may
# get this very port and connect to itself, and the node could not start on it again.
PORTS = range(20_000, 32_000)
OPTIONS = (
    "-Xmx1g",
    "--add-modules=jdk.incubator.vector",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false",  # the native library is not among the jars
    "-Djava.locale.providers=CLDR",
    "-Dlog4j2.disable.jmx=true",
    f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}",
)


class UnavailableError(Exception):
    """What the real node needs is not available on this machine; the message states what."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a node is started with.

    Attributes:
        jdk: The home folder of a JDK.
        jars: The folder of the jars, and of the modules.
    """

    jdk: Path
    jars: Path


def find_tools() -> Tools:
    """Find a JDK, and fetch the jars unless they are in the cache.

    Raises:
        UnavailableError: There is no JDK, no Maven, or Maven cannot fetch the jars.
    """
    jdk = find_jdk()
    cache = os.environ.get(CACHE_VARIABLE)
    folder = (Path(cache) if cache else Path.home() / ".cache" / "jina-eis-tests") / f"elasticsearch-{VERSION}"
    if not folder.is_dir():
        fetch_jars(jdk, folder)
    return Tools(jdk, folder)


def find_jdk() -> Path:
    """The JDK of JAVA_HOME, of `javac` on PATH, or of the usual folders: the first that is new enough."""
    for home in jdk_candidates():
        release = home / "release"
        version = re.search(r'^JAVA_VERSION="(\d+)', release.read_text("utf-8"), re.MULTILINE) if release.is_file() else None
        if version and int(version[1]) >= LEAST_JAVA and (home / "bin" / "javac").exists():
            return home
    raise UnavailableError(f"there is no JDK of {LEAST_JAVA} or newer: set JAVA_HOME to one")


def jdk_candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home)
    if compiler := shutil.which("javac"):
        yield Path(compiler).resolve().parents[1]
    for pattern in JDK_FOLDERS:
        folder, _, rest = os.path.expanduser(pattern).partition("*")
        yield from sorted(Path(folder).glob(f"*{rest}"))


def fetch_jars(jdk: Path, folder: Path) -> None:
    """Have Maven fetch the jars into a folder, which appears complete or not at all."""
    maven = shutil.which("mvn")
    if maven is None:
        raise UnavailableError(f"there is no Maven (mvn) on PATH to fetch the jars of Elasticsearch {VERSION}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-") as unfinished:
        jars = Path(unfinished) / "jars"
        command = [maven, "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies", "-DincludeScope=runtime"]
        command += [f"-Delasticsearch.version={VERSION}", f"-DoutputDirectory={jars}"]
        try:
            done = subprocess.run(
                command, env={**os.environ, "JAVA_HOME": str(jdk)}, capture_output=True, text=True, timeout=FETCH_SECONDS
            )
            problem = None if done.returncode == 0 else first_line_of_error(done.stdout + done.stderr)
        except subprocess.TimeoutExpired:
            problem = f"no end after {FETCH_SECONDS} s"
        if problem:
            raise UnavailableError(f"Maven could not fetch the jars of Elasticsearch {VERSION}: {problem}")
        separate_netty(jars)
        try:
            jars.rename(folder)
        except OSError:  # another process was first
            if not folder.is_dir():
                raise


def first_line_of_error(output: str) -> str:
    lines = [line.removeprefix("[ERROR]").strip() for line in output.splitlines() if line.startswith("[ERROR]")]
    return next((line[:300] for line in lines if line), output.strip()[-300:] or "it printed no error")


def separate_netty(jars: Path) -> None:
    """Make a module of the HTTP server, as the distribution does: Elasticsearch loads it from a folder with a descriptor."""
    module = jars / "modules" / "transport-netty4"
    module.mkdir(parents=True)
    for jar in jars.glob("*netty*.jar"):
        jar.rename(module / jar.name)
    with zipfile.ZipFile(module / f"transport-netty4-{VERSION}.jar") as jar:
        descriptor = jar.read("META-INF/es-plugins/transport-netty4/plugin-descriptor.properties").decode()
    # Without the name of a Java module it is loaded from its class path; the server is on the class path, too.
    kept = [line for line in descriptor.splitlines() if not line.startswith("modulename")]
    (module / "plugin-descriptor.properties").write_text("\n".join(kept), "utf-8")


class RealNode:
    """A node on a free port of loopback, with data of its own, as a context manager.

    It ends with the `with` block. If this process dies before, the node ends too, because its standard input closes.
    """

    def __init__(self, tools: Tools) -> None:
        self.port = free_port()
        self._tools = tools
        self._home = Path(tempfile.mkdtemp(prefix="jina-eis-real-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, the same after each start."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The id of its process, while it runs."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started, and neither stopped nor killed since."""
        return self._process is not None

    def start(self) -> None:
        """Start on the data of the last time, and return when the node answers.

        Raises:
            RuntimeError: It does not; with the end of its log.
        """
        if self._process is not None:
            raise RuntimeError("the node is already started")
        classes = self._home / "classes"
        class_path = f"{classes}{os.pathsep}{self._tools.jars / '*'}"
        if not classes.is_dir():
            javac = str(self._tools.jdk / "bin" / "javac")
            subprocess.run([javac, "-proc:none", "-d", classes, "-cp", class_path, HERE / "Start.java"], check=True)
            (self._home / "config").mkdir()
        command = [str(self._tools.jdk / "bin" / "java"), *OPTIONS, "-cp", class_path, "Start"]
        command += [str(self._home), str(self._tools.jars / "modules"), str(self.port)]
        with open(self._home / "log", "ab") as log:
            # A session of its own: Ctrl-C is for the tests, which may still need the node for what they clean up.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > until or self._process.poll() is not None:
                self.kill()
                raise RuntimeError(f"the real node did not start:\n{self._log()[-3000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End the process at once, as a crash does (SIGKILL). What it has acknowledged is on the disk."""
        if self._process is not None:
            self._process.kill()
            self._wait_for_end()

    def stop(self) -> None:
        """End the process in order."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._wait_for_end()

    def _wait_for_end(self) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.wait()
        self._process.stdin.close()
        self._process = None

    def _answers(self) -> bool:
        """Whether it answers, and all its indices can be read and written."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=40)
        try:
            connection.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=30s")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _log(self) -> str:
        return (self._home / "log").read_text("utf-8", errors="replace")

    def __enter__(self) -> RealNode:
        try:
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._remove()

    def _remove(self) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self._home, ignore_errors=True)


def free_port() -> int:
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"100 ports between {PORTS[0]} and {PORTS[-1]} are all taken")
