from __future__ import annotations

import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from segpp_deploy.errors import SegppError
from segpp_deploy.files import cache_folder
from segpp_deploy.model.weights.cards import load_card, resolve_card_checkpoint
from segpp_deploy.model.weights.download import cached_path
from tests.model.weights.test_cards import CONTENT

WEIGHTS = b"weights" * 1000


class Server(http.server.ThreadingHTTPServer):
    """Serves one file, and counts how often."""

    body = WEIGHTS
    content_type = "application/octet-stream"
    announced: int | None = None
    requests = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/weights/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests += 1
        if self.path != "/weights/":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", self.server.content_type)
        self.send_header("Content-Length", str(self.server.announced or len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("SEGPP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def resolve(folder: Path, url: str, sha256: str | None = None, told: list[str] | None = None) -> Path:
    """Resolve a card that names `url`."""
    checkpoint = {"url": url, "sha256": sha256, "page": "https://example.org"}
    (folder / "small.yaml").write_text(yaml.safe_dump({**CONTENT, "checkpoint": checkpoint}))
    return resolve_card_checkpoint(
        load_card(str(folder / "small.yaml")), tell=(told if told is not None else []).append
    )


def failure(folder: Path, url: str, sha256: str | None = None) -> SegppError:
    with pytest.raises(SegppError) as caught:
        resolve(folder, url, sha256)
    assert caught.value.expected
    assert caught.value.fix
    return caught.value


def test_the_first_download_records_its_hash_and_says_so(server: Server, tmp_path: Path) -> None:
    told: list[str] = []
    path = resolve(tmp_path, server.url, told=told)
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    assert path.read_bytes() == WEIGHTS
    assert path.with_name(path.name + ".sha256").read_text().strip() == digest
    assert len(told) == 2
    assert told[0] == f"Downloading {server.url} to {path}"
    assert digest in told[1]

    assert resolve(tmp_path, server.url, told=told) == path
    assert (server.requests, len(told)) == (1, 2)


def test_a_hash_in_the_card_is_checked_and_nothing_is_recorded(server: Server, tmp_path: Path) -> None:
    path = resolve(tmp_path, server.url, hashlib.sha256(WEIGHTS).hexdigest())
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_another_file_than_the_cards_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    error = failure(tmp_path, server.url, "0" * 64)
    assert hashlib.sha256(WEIGHTS).hexdigest() in error.what
    assert "0" * 64 in error.expected
    assert list(cached_path("small", server.url).parent.iterdir()) == []


def test_a_cached_file_that_changed_is_refused(server: Server, tmp_path: Path) -> None:
    path = resolve(tmp_path, server.url)
    path.write_bytes(b"changed")
    error = failure(tmp_path, server.url)
    assert str(path) in error.what
    assert "Delete" in error.fix


def test_a_second_download_must_equal_the_first(server: Server, tmp_path: Path) -> None:
    path = resolve(tmp_path, server.url)
    path.unlink()
    server.body = b"replaced by the publisher"
    error = failure(tmp_path, server.url)
    assert ".sha256" in error.fix
    assert not path.exists()


def test_a_web_page_instead_of_the_file(server: Server, tmp_path: Path) -> None:
    server.content_type = "text/html; charset=utf-8"
    assert "answered with a web page" in failure(tmp_path, server.url).what


def test_a_download_that_breaks_off_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.announced = len(WEIGHTS) + 10
    assert "broke off" in failure(tmp_path, server.url).what
    assert list(cached_path("small", server.url).parent.iterdir()) == []


def test_an_error_of_the_server(server: Server, tmp_path: Path) -> None:
    assert "Not Found" in failure(tmp_path, server.url + "x").what


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGPP_CACHE", str(tmp_path / "cache"))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        error = failure(tmp_path, url)
    assert "could not be downloaded" in error.what
    assert "--checkpoint" in error.fix


def test_a_cache_that_takes_no_files(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEGPP_CACHE", str(tmp_path / "file"))
    error = failure(tmp_path, server.url)
    assert "Cannot write" in error.what
    assert "SEGPP_CACHE" in error.fix
    assert server.requests == 0


def test_the_cache_follows_the_users_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEGPP_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "segpp-deploy"
    assert cached_path("a", "https://x/1") != cached_path("a", "https://x/2")
