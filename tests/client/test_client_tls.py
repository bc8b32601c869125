"""`tchat --tls`: it talks to a server whose certificate it can check, and to no other; each failure is one line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import certificate, secure
from serving import SECONDS, Server, environment, serving

Tchat = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("secure")
    with serving(directory, *secure(directory)) as running:
        yield running


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("plain")) as running:
        yield running


@pytest.fixture
def tchat(tmp_path: Path) -> Tchat:
    def run(*args: str, stdin: str = "", **env: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "tchat_client", "--name", "alice", *args],
            cwd=tmp_path,
            env=environment(tmp_path, **env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def ca(server: Server) -> str:
    return str(server.directory / "cert.pem")


def test_one_shot_commands_and_piped_lines_work_over_tls(server: Server, tchat: Tchat) -> None:
    trusting = ("--server", server.address, "--tls", "--ca", ca(server))
    code, out, err = tchat(*trusting, stdin="cg;safe\nbonjour\n")
    assert (code, err) == (0, "")
    assert "safe  alice: bonjour" in out
    assert tchat("send", "safe", "deux", *trusting) == (0, "", "")
    code, out, err = tchat("messages", "safe", "--json", *trusting)
    assert (code, [json.loads(line)["msg"] for line in out.splitlines()], err) == (0, ["bonjour", "deux"], "")


def test_a_ca_alone_means_tls_wherever_it_is_said(server: Server, tchat: Tchat, tmp_path: Path) -> None:
    assert tchat("ping", "--server", server.address, "--ca", ca(server))[0] == 0
    assert tchat("ping", TCHAT_SERVER=server.address, TCHAT_CA=ca(server))[0] == 0
    (tmp_path / "c.toml").write_text(f"server = {json.dumps(server.address)}\nca = {json.dumps(ca(server))}\n")
    assert tchat("ping", "--config", "c.toml")[0] == 0


def fails(code: int, sentence: str, done: tuple[int, str, str]) -> None:
    assert done == (code, "", f"tchat: {sentence}\n")


NOT_TLS = "what answers there does not speak TLS: --no-tls goes without"


def test_a_server_nobody_vouches_for_is_one_line_and_exit_3(server: Server, tchat: Tchat, tmp_path: Path) -> None:
    other = str(certificate(tmp_path))
    for options in (("--tls",), ("--ca", other)):
        for args in (("ping",), ()):
            code, out, err = tchat(*args, "--server", server.address, *options, stdin="ping;\n")
            assert (code, out, err.count("\n")) == (3, "", 1)
            assert err.startswith(
                f"tchat: cannot connect to {server.address}: nobody known vouches for its certificate, self"
            )


def test_a_certificate_for_another_host_is_one_line_and_exit_3(tchat: Tchat, tmp_path: Path) -> None:
    with serving(tmp_path, *secure(tmp_path, "DNS:elsewhere.example")) as server:
        code, out, err = tchat("ping", "--server", server.address, "--ca", ca(server))
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "certificate is not valid for '127.0.0.1'\n" in err


def test_tls_to_a_server_without_is_one_line_and_exit_3(plain: Server, tchat: Tchat) -> None:
    for args in (("ping",), ()):
        done = tchat(*args, "--server", plain.address, "--tls", stdin="ping;\n")
        assert done == (3, "", f"tchat: cannot connect to {plain.address}: {NOT_TLS}\n")
    _, _, err = tchat("ping", "--json", "--server", plain.address, "--tls")
    assert json.loads(err)["code"] == "cannot-connect"


def test_no_tls_to_a_server_with_is_one_line_and_exit_3(server: Server, tchat: Tchat) -> None:
    done = tchat("ping", "--server", server.address, "--no-tls")
    assert done == (3, "", f"tchat: cannot connect to {server.address}: the server closed the connection\n")


CERTIFICATE = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
NO_CERTIFICATES = {"text": "hello\n", "empty": "", "broken": CERTIFICATE.format("nonsense")}


@pytest.mark.parametrize("text", NO_CERTIFICATES.values(), ids=NO_CERTIFICATES.keys())
def test_a_file_without_certificates_is_one_line_and_exit_2(tchat: Tchat, tmp_path: Path, text: str) -> None:
    (tmp_path / "ca.pem").write_text(text)
    code, out, err = tchat("ping", "--server", "127.0.0.1:1", "--ca", "ca.pem")
    assert (code, out) == (2, "")
    assert err == ("tchat: there is no certificate that can be read in ca.pem: --ca takes a PEM file of certificates\n")
