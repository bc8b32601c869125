"""The benchmark measures: every part has a figure, and the load generator sees what a server loses or mixes up."""

from __future__ import annotations

import json
import select
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[1] / "bench"
TIMEOUT_SECONDS = 60

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="the load generator needs a C compiler"
)
PARTS = (
    *("decode-orjson", "encode-orjson", "decode-stdlib", "encode-stdlib", "group", "hub", "frames", "all"),
    *("append-memory", "append-sqlite", "append-sqlite-one", "page-p50", "page-p99"),
)


def bench(out: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(BENCH), *arguments, "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    file = out / "results.json"
    return done, json.loads(file.read_text()) if file.exists() else {}


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The load generator, built without a row measured."""
    out = tmp_path_factory.mktemp("bench")
    done, _ = bench(out, "live", "--rounds", "0")
    assert done.returncode == 0, done.stderr
    return next(out.glob("generator-*"))


def generated(generator: Path, ports: str, mode: str, *words: str) -> dict[str, Any]:
    """Run the generator of four members for a moment, and return what it found."""
    done = subprocess.run(
        [generator, "tchat", ports, mode, "members=4", "seconds=0.2", "warm=0", *words],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def test_every_part_is_timed_and_compared_with_an_earlier_run(tmp_path: Path) -> None:
    done, results = bench(tmp_path, "micro", "--repeats", "2")
    assert done.returncode == 0, done.stderr
    timed = {timing["id"]: timing for timing in results["timings"]}
    expected = [part for part in PARTS if "orjson" not in part or results["machine"]["orjson"] != "not installed"]
    assert list(timed) == expected
    for timing in timed.values():
        assert min(*timing["samples"], *timing["reference"], 1) > 0, timing
        assert timing["title"] in done.stdout

    again, _ = bench(tmp_path / "again", "micro", "--repeats", "2", "--previous", str(tmp_path / "results.json"))
    assert again.returncode == 0, again.stderr
    assert "x previous" in again.stdout


def test_what_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    for wrong in (["macro"], ["--only", "irssi"], ["--rows", "fan-11"], ["--previous", str(tmp_path / "none.json")]):
        done, results = bench(tmp_path, *wrong)
        assert (done.returncode, results) == (2, {}), done.stdout
        assert "Traceback" not in done.stderr


@needs_compiler
def test_a_real_server_loses_nothing_under_load(tmp_path: Path) -> None:
    done, results = bench(
        tmp_path, "live", "--only", "tchat plain", "--rows", "fan-10", "--rounds", "1", "--seconds", "0.2"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = results["runs"]
    assert (run["figures"]["lost"], run["figures"]["disordered"]) == (0, 0)
    assert run["figures"]["deliveries_per_second"] > 0
    assert "tchat plain" in (tmp_path / "plot.svg").read_text()


@needs_compiler
@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("none", {"lost": 0, "disordered": 0}),
        ("drops", {"lost": 1, "disordered": 1}),
        ("doubles", {"lost": -1, "disordered": 1}),
        ("swaps", {"lost": 0, "disordered": 3}),
    ],
)
def test_the_generator_sees_what_a_server_loses_doubles_or_swaps(
    generator: Path, fault: str, found: dict[str, int]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=_serve, args=(listener, fault))
        serving.start()
        figures = generated(generator, str(listener.getsockname()[1]), "pace", "rate=200", "patience=0.5")
        serving.join(TIMEOUT_SECONDS)
    assert {name: figures[name] for name in found} == found


@needs_compiler
def test_the_generator_counts_what_each_of_two_servers_lets_through(generator: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        serving = threading.Thread(target=_relay, args=((one, other),))
        serving.start()
        ports = ",".join(str(it.getsockname()[1]) for it in (one, other))
        figures = generated(generator, ports, "contend", "window=2", "patience=5")
        serving.join(TIMEOUT_SECONDS)
    assert (figures["lost"], figures["disordered"]) == (0, 0)
    assert figures["events_per_second"] > 0
    assert 0 < figures["least_share"] <= 0.5


def _relay(listeners: tuple[socket.socket, socket.socket]) -> None:
    """Be two servers of two members each."""
    peers = [listeners[number % 2].accept()[0] for number in range(4)]
    for answer in (b'{"action":"server-hello"}\r\n', b'{"seq":1}\r\n'):
        for peer in peers:
            peer.recv(1000)
            peer.sendall(answer)
    said = [b""] * 4
    while True:
        for peer in select.select(peers, (), (), 0 if any(said) else TIMEOUT_SECONDS)[0]:
            if not (read := peer.recv(10_000)):
                break
            said[peers.index(peer)] += read
        else:
            for number in range(4):
                line, end, said[number] = said[number].partition(b"\n")
                for peer in peers:
                    peer.sendall(line + end)
            continue
        break
    for peer in peers:
        peer.close()


def _serve(listener: socket.socket, fault: str) -> None:
    """Be a server of four members, one of whom does not hear the third and fourth text of u0 as it should."""
    peers = [listener.accept()[0] for _ in range(4)]
    files = [peer.makefile("rwb", buffering=0) for peer in peers]
    for file in files:
        file.readline()
        file.write(b'{"action":"server-hello"}\r\n')
    for file in files:
        file.readline()
        file.write(b'{"seq":1}\r\n')
    kept = {"none": (0, 1), "drops": (1,), "doubles": (0, 0, 1), "swaps": (1, 0)}[fault]
    held: list[bytes] = []
    # u0 to u3 speak in turn, so the lines can be read in turn too
    for turn in range(40):
        line = files[turn % 4].readline()
        for number, file in enumerate(files):
            if number == 3 and turn in (8, 12):
                held.append(line)
            else:
                file.write(line)
        if turn == 12:
            for index in kept:
                files[3].write(held[index])
    for file, peer in zip(files, peers, strict=True):
        file.read()
        file.close()
        peer.close()
