"""The short form of the storm of tests/support/soak, and a check that it can fail."""

from __future__ import annotations

from pathlib import Path

from soak.soak import faults_of, run


def test_a_storm_of_clients_leaves_one_story_and_nothing_else(tmp_path: Path) -> None:
    assert run(tmp_path, clients=60, seconds=8, seed=1) == []


def test_a_log_that_tells_nonsense_is_noticed() -> None:
    log = [
        {"seq": 1, "action": "cgroupe", "sender": "a"},
        {"seq": 2, "action": "ban", "sender": "a", "dest": "b"},
        {"seq": 3, "action": "join", "sender": "b"},
        {"seq": 5, "action": "kick", "sender": "b", "dest": "a"},
    ]
    assert faults_of(log) == ["3: join of b, who was banned", "seq 5 at 4", "4: kick by b, but a is owner"]
