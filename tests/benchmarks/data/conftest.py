"""A small file in the format of HEPMASS, and a web server of this machine that can misbehave."""

import gzip
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from benchmarks.data.download import EventFile

MASSES = (500, 750, 1000, 1250, 1500)


class Server(ThreadingHTTPServer):
    """Serves `files` by name; each request takes the next of `faults`, if any is left.

    A fault is a status code to refuse with, or a function from the bytes due to those that are sent: where these
    are fewer, the connection breaks early.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.faults, self.ranges = {}, [], []
        self.gives_ranges = True

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def handle_error(self, request, client_address):
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        content = server.files[self.path[1:]]
        wanted = self.headers.get("Range")
        server.ranges.append(wanted)
        fault = server.faults.pop(0) if server.faults else lambda body: body
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and server.gives_ranges else 0
        if isinstance(fault, int) or start >= len(content):
            self.send_error(fault if isinstance(fault, int) else 416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Encoding", "x-gzip")  # as web servers say of files ending in .gz
        self.end_headers()
        self.wfile.write(fault(content[start:]))

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def table():
    """(400, 29) label, f0 to f26 and mass, as float32: half signal, masses in turn, those of the background drawn."""
    generator = np.random.default_rng(11)
    table = generator.normal(size=(400, 29)).astype(np.float32)
    table[:, 0] = np.arange(400) % 2
    table[:, -1] = np.where(table[:, 0] == 1, np.repeat(MASSES, 80), generator.choice(MASSES, 400))
    return table


@pytest.fixture
def publish(server):
    """Puts content on the server; returns its EventFile."""

    def publish(content, name="all_train.csv.gz", n_events=400):
        server.files[name] = content
        return EventFile(server.url(name), len(content), hashlib.sha256(content).hexdigest(), n_events)

    return publish


@pytest.fixture
def publish_table(publish):
    """Puts a table on the server in the official format: `# label`, 18 decimals, a mass of 500 that is not quite."""

    def publish_table(table, name="all_train.csv.gz"):
        table = np.array(table, np.float64)
        table[table[:, -1] == 500, -1] = 499.999969
        lines = [",".join(["# label", *(f"f{i}" for i in range(27)), "mass"])]
        lines += [",".join(f"{value:.18e}" for value in row) for row in table]
        return publish(gzip.compress("\n".join([*lines, ""]).encode()), name, len(table))

    return publish_table


@pytest.fixture
def files(publish_table, table):
    """Both splits of a small HEPMASS, the test set being the first quarter of the training set."""
    return {"train": publish_table(table), "test": publish_table(table[:100], "all_test.csv.gz")}
