"""`tchat-server --db nats://…` as people run it: two nodes are one server, and what goes wrong is one line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from commandline import COMMAND, environment
from engine import Engine, engine, free_ports
from live import TIMEOUT_SECONDS, Client, Json, Server, fresh, serving
from watching import Clock, LeaseClock

OTHER_WORDING = """
from libtchat.message.event import Joined
from libtchat.wire import wording
wording._WORDING[Joined] = lambda event: f"{event.sender} came to {event.group}"
"""


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("engine")) as found:
        yield found


@contextmanager
def nodes(directory: Path, url: str, preludes: tuple[str, str] = ("", "")) -> Iterator[tuple[Server, Server]]:
    """Run two nodes of one chat."""
    places = [directory / "here", directory / "there"]
    for place in places:
        place.mkdir(exist_ok=True)
    here, there = (("--db", url, "--cache", str(place / "copy.db")) for place in places)
    with (
        serving(places[0], *here, prelude=preludes[0]) as first,
        serving(places[1], *there, prelude=preludes[1]) as second,
    ):
        yield first, second


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, one: Engine) -> Iterator[tuple[Server, Server]]:
    """Two nodes of one chat; the second is of another version: it has another wording."""
    with nodes(tmp_path_factory.mktemp("pair"), one.url("pair"), ("", OTHER_WORDING)) as found:
        yield found


def run(*args: str, code: int = 0) -> str:
    """Run the command to its end; a failure is exactly one line."""
    done = subprocess.run(
        [*COMMAND, *args], env=environment(), capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert done.returncode == code, done
    lines = [line for line in done.stderr.splitlines() if " warning " not in line]
    assert len(lines) == (code != 0), done.stderr
    return "\n".join(lines) or done.stdout


def get(port: int, page: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=TIMEOUT_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


Pair = tuple[Server, Server]


def test_two_nodes_are_one_server_to_their_users(pair: Pair) -> None:
    here, there = pair
    group, names = fresh("wob"), [fresh(name) for name in ("alice", "bob")]
    alice, bob = here.client(names[0]), there.client(names[1])
    assert alice.ask(action="cgroupe", group=group)["seq"] == 1
    assert bob.ask(action="join", group=group)["seq"] == 2
    assert alice.get()["action"] == "join"
    alice.send(action="gbroadcast", group=group, msg="bonjour")
    bob.send(action="gbroadcast", group=group, msg="salut")
    heard = [[client.told(), client.told()] for client in (alice, bob)]
    assert heard[0] == heard[1]
    assert [json.loads(line or b"")["seq"] for line in heard[0]] == [3, 4]
    assert bob.code(action="cgroupe", group=group.upper()) == "group-exists"
    assert alice.ask(action="members", group=group)["list"] == names
    assert group in there.client(fresh("carl")).ask(action="groups")["list"]


def test_members_of_both_nodes_get_the_bytes_that_are_stored_whatever_each_would_have_said(pair: Pair) -> None:
    here, there = pair
    for home, away, words in ((here, there, "came to"), (there, here, "joined")):
        group = fresh("wob")
        members = home.client(fresh("alice")), away.client(fresh("bob"))
        members[0].ask(action="cgroupe", group=group)
        members[1].send(action="join", group=group)
        heard = [member.told() for member in members]
        assert heard[0] == heard[1]
        assert json.loads(heard[0] or b"")["msg"] == f"{members[1].name} {words} {group}"
        pages = [member.ask(action="states", group=group)["list"] for member in members]
        assert pages[0] == pages[1]
        assert pages[0][-1] == json.loads(heard[0] or b"")


def two_of(pair: Pair, name: str) -> tuple[Client, Client]:
    """Connect one user to both nodes."""
    here, there = pair
    first, second = here.client(name), there.client()
    second.hello(name, token=first.welcome["token"])
    return first, second


def until_id(client: Client, id: str) -> Json:
    """Return the first message with this id."""
    while (message := client.get()).get("id") != id:
        pass
    return message


def test_one_id_sent_to_two_nodes_at_once_makes_one_event(pair: Pair) -> None:
    group = fresh("wob")
    owner = pair[0].client(fresh("owner"))
    owner.ask(action="cgroupe", group=group)
    both = two_of(pair, fresh("alice"))
    for seq, request in ((2, {"action": "join"}), (3, {"action": "gbroadcast", "msg": "once"})):
        for client in both:
            client.send(**request, group=group, id=request["action"])
        answers = [until_id(client, request["action"]) for client in both]
        assert [(answer["action"], answer["seq"]) for answer in answers] == [(request["action"], seq)] * 2
    log = owner.until("gbroadcast")
    log += owner.sync()
    assert [event["seq"] for event in log] == [2, 3]


def test_a_guest_is_a_member_for_all_nodes_and_leaves_once(pair: Pair) -> None:
    here, there = pair
    group = fresh("wob")
    members = [node.client(fresh(name)) for node, name in ((here, "alice"), (there, "bob"))]
    members[0].ask(action="cgroupe", group=group)
    members[1].ask(action="join", group=group)
    guests = [node.client() for node in pair]
    names = [guest.ask(action="client-hello")["from"] for guest in guests]
    assert len(set(names)) == 2
    guests[1].ask(action="join", group=group)
    guests[1].sock.close()
    events = members[0].until("leave")
    assert [(event["action"], event["seq"]) for event in events] == [("join", 2), ("join", 3), ("leave", 4)]
    assert events[-1]["sender"] == names[1]
    assert members[1].until("leave")[-1] == events[-1]
    assert [member.ask(action="members", group=group)["seq"] for member in members] == [4, 4]


def test_a_password_set_here_is_asked_there(pair: Pair) -> None:
    here, there = pair
    alice = here.client(fresh("alice"))
    assert alice.ask(action="register", password="correct horse")["action"] == "register"
    stranger = there.client()
    hello = {"action": "client-hello", "from": alice.name.upper()}
    assert stranger.code(**hello) == "auth-required"
    assert stranger.code(**hello, password="guess") == "auth-failed"
    stranger.hello(alice.name, password="correct horse")
    assert stranger.welcome["token"] == alice.welcome["token"]


def test_an_invitation_and_a_text_reach_who_is_on_another_node(pair: Pair) -> None:
    here, there = pair
    group = fresh("den")
    alice, bob, carol = here.client(fresh("alice")), there.client(fresh("bob")), there.client(fresh("carol"))
    alice.ask(action="cgroupe", group=group, private=True)
    assert carol.code(action="join", group=group) == "invite-required"
    alice.ask(action="invite", group=group, dest=bob.name)
    assert (bob.get()["action"], bob.ask(action="join", group=group)["seq"]) == ("invite", 3)
    alice.until("join")
    assert alice.ask(action="client-send", to=bob.name, msg="psst")["msg"] == "psst"
    assert bob.get()["msg"] == "psst"
    assert bob.ask(action="client-send", to=alice.name, msg="yes?") == alice.get()
    assert carol.sync() == []
    assert alice.code(action="client-send", to=fresh("nobody"), msg="psst") == "user-not-found"


def test_a_user_goes_with_the_last_connection_wherever_it_is(pair: Pair) -> None:
    watchers = [node.client(fresh("watcher")) for node in pair]
    name = fresh("alice")
    first, second = two_of(pair, name)
    first.ask(action="client-quit")
    second.ask(action="ping")
    assert [name in watcher.ask(action="client-list-clients")["list"] for watcher in watchers] == [True, True]
    second.ask(action="client-quit")
    for watcher in watchers:
        told = []
        while "disconnect" not in told:
            notice = json.loads(watcher.line() or b"")
            told += [notice["event"]] * (notice.get("name") == name)
        assert told == ["disconnect"]
    assert pair[0].client(name).welcome["token"] != first.welcome["token"]


def test_of_two_hellos_for_one_name_at_once_one_is_welcomed(pair: Pair) -> None:
    for _ in range(5):
        both, name = [node.client() for node in pair], fresh("alice")
        for client in both:
            client.send(action="client-hello", **{"from": name})
        assert sorted(client.get().get("code", "welcome") for client in both) == ["name-in-use", "welcome"]


def test_a_node_that_was_stopped_and_lost_its_copy_knows_everything_again(tmp_path: Path, one: Engine) -> None:
    with nodes(tmp_path, one.url(fresh("chat").replace(".", "-"))) as (here, there):
        alice, bob = here.client("alice"), there.client("bob")
        alice.ask(action="cgroupe", group="wob")
        bob.ask(action="join", group="wob")
        here.stop()
        (tmp_path / "here" / "copy.db").unlink()
        bob.ask(action="gbroadcast", group="wob", msg="are you there?")
        here.start()
        again = here.client()
        again.hello("alice", token=alice.welcome["token"])
        assert again.welcome["seqs"] == {"wob": 3}
        assert [entry["seq"] for entry in again.ask(action="states", group="wob")["list"]] == [1, 2]


def test_what_an_operator_sees_of_a_node(tmp_path: Path, one: Engine) -> None:
    (port,) = free_ports(1)
    url = one.url(fresh("chat").replace(".", "-"), monitor=f"127.0.0.1:{one.monitors[0]}")
    options = ("--db", url, "--cache", str(tmp_path / "copy.db"), "--admin-listen", f"127.0.0.1:{port}")
    with serving(tmp_path, *options) as node:
        node.client("alice").ask(action="cgroupe", group="wob")
        _, text = get(port, "metrics")
        found = dict(re.findall(r"^tchat_cluster_(\w+) (\S+)$", text, re.MULTILINE))
        assert int(found["records_appended_total"]) >= 1
        assert int(found["records_followed_total"]) >= 1
        assert float(found["lease_age_seconds"]) < 10
        assert (found["engine_connected"], found["engine_syncs"], found["lag"]) == ("1", "1", "0")
        assert {"conflicts_total", "proofs_total", "damaged"} < set(found)
        assert get(port, "readyz")[0] == 200
        assert "sync" not in node.log()
        assert one.password not in node.log() + node.out_file.read_text()


def test_an_engine_not_known_to_sync_and_a_clock_that_is_off_are_warned_of_at_each_start(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    clock.set(-60)
    with engine(tmp_path, sync="2m") as lazy:
        url = lazy.url()
        with serving(tmp_path, "--db", url, "--cache", str(tmp_path / "copy.db"), prelude=clock.prelude) as node:
            assert node.logs("is not known to sync each record")
            assert node.logs(": set both\n")
            assert re.search(r" warning .*clock of this machine is -[56]\d\.\d seconds off .*: set both\n", node.log())
        monitored = lazy.url(monitor=f"127.0.0.1:{lazy.monitors[0]}")
        (tmp_path / "log").unlink()
        with serving(tmp_path, "--db", monitored, "--cache", str(tmp_path / "copy.db")) as node:
            assert node.logs("is not set to sync each record")
            assert "clock" not in node.log()


def test_monitors_that_answer_later_are_asked_again(tmp_path: Path, one: Engine) -> None:
    port, monitor = free_ports(2)
    url = one.url(fresh("chat").replace(".", "-"), monitor=f"127.0.0.1:{monitor}")
    options = ("--db", url, "--cache", str(tmp_path / "copy.db"), "--admin-listen", f"127.0.0.1:{port}")

    class Monitor(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"jetstream": {"config": {"sync_always": true}}}')

        def log_message(self, *_: object) -> None:
            pass

    with serving(tmp_path, *options) as node:
        assert node.logs("its monitors do not answer")
        assert "engine_syncs -1" in get(port, "metrics")[1]
        with ThreadingHTTPServer(("127.0.0.1", monitor), Monitor) as answering:
            Thread(target=answering.serve_forever, daemon=True).start()
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while "engine_syncs 1\n" not in get(port, "metrics")[1]:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            answering.shutdown()


def test_a_chat_in_an_engine_is_verified_and_given_an_owner_while_nodes_serve_it(tmp_path: Path, one: Engine) -> None:
    url = one.url(fresh("chat").replace(".", "-"))
    assert "there is no chat" in run("check", url, code=4)
    with nodes(tmp_path, url) as (here, there):
        alice, bob = here.client("alice"), there.client("bob")
        alice.ask(action="cgroupe", group="wob")
        bob.ask(action="join", group="wob")
        assert run("check", url) == "1 groups, 2 events, 0 of them messages\n"
        assert "alice, who owns wob, is connected: --force" in run("own", url, "wob", "bob", code=1)
        assert run("own", url, "wob", "bob", "--force") == "bob owns wob (event 3)\n"
        assert bob.get()["seq"] == 3
        assert bob.ask(action="members", group="wob")["owner"] == "bob"
        assert "owns wob already" in run("own", url, "wob", "bob", code=1)
        assert "there is no group nowhere" in run("own", url, "nowhere", "bob", code=1)
        assert "nats stream backup tchat-" in run("backup", url, str(tmp_path / "out"), code=4)


FAILURES = [
    ("nats://host", 2, "--db is not nats://"),
    ("nats://u:SECRET@host/chat?colour=red", 2, "there is no 'colour'"),
    ("NATS://u:SECRET@host/chat", 2, "a database is a file, or nats://HOST/NAME: no other URL is one"),
    ("nats://u:SECRET@127.0.0.1:1/chat", 4, "Connection refused"),
    ("nats://tchat:SECRET@{hosts}/chat", 4, "does not accept this user and password"),
    ("nats://tchat:{password}@{hosts}/chat", 4, "fewer than 3 servers"),
]


@pytest.mark.parametrize(("url", "code", "line"), FAILURES, ids=[line for _, _, line in FAILURES])
def test_what_is_wrong_with_the_url_or_the_engine_is_one_line(
    url: str, code: int, line: str, tmp_path: Path, one: Engine
) -> None:
    url = url.format(hosts=one.hosts, password=one.password)
    told = run("--listen", "127.0.0.1:0", "--db", url, "--cache", str(tmp_path / "copy.db"), code=code)
    assert line in told
    assert "SECRET" not in told
    assert one.password not in told
    assert line in run("check", url, code=code) or code == 4


@pytest.mark.usefixtures("usage_stays_english")
def test_it_is_said_in_french_too(tmp_path: Path, one: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TCHAT_LANG", "fr")
    told = run("--listen", "127.0.0.1:0", "--db", one.url(replicas=3), "--cache", str(tmp_path / "copy.db"), code=4)
    assert "le moteur a moins de 3 serveurs où garder chaque enregistrement : démarrez les autres" in told


def test_without_the_extra_it_is_one_line_that_says_what_to_install(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['nats'] = None; from tchat_server.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "--db", "nats://127.0.0.1/chat", "--cache", str(tmp_path / "copy.db")],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1] == "--db nats:// needs the extra `cluster`: pip install 'libtchat[cluster]'"


def test_nothing_of_the_engine_is_imported_without_the_url() -> None:
    code = "import sys, tchat_server.cli; print([name for name in sys.modules if 'nats' in name.split('.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert done.stdout == "[]\n"


def test_a_node_cut_off_from_the_engine_closes_its_connections_and_comes_back_by_itself(tmp_path: Path) -> None:
    clock = LeaseClock(tmp_path)
    with engine(tmp_path) as lone:
        options = ("--db", lone.url(), "--cache", str(tmp_path / "copy.db"))
        with serving(tmp_path, *options, prelude=clock.prelude) as node:
            alice = node.client("alice")
            alice.ask(action="cgroupe", group="wob")
            lone.servers[0].end()
            clock.end_the_lease()
            assert alice.rest() == []
            assert node.logs("waiting: the engine")
            lone.servers[0].start()
            deadline = time.monotonic() + TIMEOUT_SECONDS
            again = None
            while again is None and time.monotonic() < deadline:
                try:
                    again = node.client()
                except ConnectionRefusedError:
                    time.sleep(0.05)
            assert again is not None
            again.hello("alice", token=alice.welcome["token"])
            assert again.welcome["seqs"] == {"wob": 1}
            assert again.ask(action="gbroadcast", group="wob", msg="back")["seq"] == 2


def test_lines_that_are_piped_in_go_on_at_another_node_and_none_is_lost_or_doubled(tmp_path: Path, one: Engine) -> None:
    def said(client: subprocess.Popen[bytes], count: int) -> list[str]:
        assert client.stdout is not None
        return [json.loads(client.stdout.readline())["msg"] for _ in range(count)]

    with nodes(tmp_path, one.url(fresh("chat").replace(".", "-"))) as (here, there):
        bob = there.client("bob")
        assert bob.ask(action="cgroupe", group="wob")["seq"] == 1
        command = [sys.executable, "-m", "tchat_client", "--name", "alice", "--json"]
        command += ["--server", f"{here.address},{there.address}"]
        with subprocess.Popen(
            command,
            env=environment(XDG_STATE_HOME=str(tmp_path / "state"), XDG_CONFIG_HOME=str(tmp_path / "config")),
            bufsize=0,  # what were read ahead of a line, `communicate` would not return
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as alice:
            assert alice.stdin is not None
            texts = [str(number) for number in range(30)]
            alice.stdin.write(b"j;wob\n" + b"".join(b"%s\n" % text.encode() for text in texts[:20]))
            alice.stdin.flush()
            assert said(alice, 11)[1:] == texts[:10]
            here.kill()  # in the midst of it
            killed = time.monotonic()
            assert said(alice, 1) == texts[10:11]
            assert time.monotonic() - killed < TIMEOUT_SECONDS, "a silent server is borne longer"
            out, err = alice.communicate("".join(f"{text}\n" for text in texts[20:]).encode(), TIMEOUT_SECONDS)
        assert alice.returncode == 0, err
        assert [json.loads(line)["msg"] for line in out.splitlines()] == texts[11:]
        assert [json.loads(line)["code"] for line in err.splitlines()] == ["offline", "back"]
        heard = [bob.get() for _ in range(31)][1:]
        assert [(event["seq"], event["msg"]) for event in heard] == [(n + 3, text) for n, text in enumerate(texts)]


@pytest.mark.nightly
def test_names_of_a_node_that_is_killed_are_free_within_35_seconds_and_its_guests_leave_once(tmp_path: Path) -> None:
    with ExitStack() as stack:
        found = stack.enter_context(engine(tmp_path, 3))
        places = []
        for number in range(3):
            (directory := tmp_path / f"node{number}").mkdir()
            options = ("--db", found.url(), "--cache", str(directory / "copy.db"))
            places.append(stack.enter_context(serving(directory, *options)))
        here, there, dying = places
        members = [here.client("alice"), there.client("bob")]
        members[0].ask(action="cgroupe", group="wob")
        members[1].ask(action="join", group="wob")
        dying.client("carol")
        guests = [dying.client() for _ in range(3)]
        names = [guest.ask(action="client-hello")["from"] for guest in guests]
        for guest in guests:
            guest.ask(action="join", group="wob")
        assert here.client().code(action="client-hello", **{"from": "carol"}) == "name-in-use"
        dying.kill()
        killed = time.monotonic()
        free = {here: 0.0, there: 0.0}
        for node in (here, there):
            while not free[node]:
                assert time.monotonic() - killed < 40
                client = node.client()
                if client.ask(action="client-hello", **{"from": "carol"})["action"] == "server-hello":
                    free[node] = time.monotonic() - killed
                client.ask(action="client-quit")
                client.sock.close()
                time.sleep(0.1)
        assert 15 < free[here] < 35
        assert free[there] < 36, "the other one saw it, too, and was asked later"
        time.sleep(2)
        for member in members:
            left = [event["sender"] for event in member.sync() if event["action"] == "leave"]
            assert sorted(left) == sorted(names)
            assert member.ask(action="members", group="wob")["list"] == ["alice", "bob"]
