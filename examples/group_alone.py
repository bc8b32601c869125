"""A group's rules inside a server of your own: no hub, no connection, no bytes."""

from libtchat import Ban, Create, Group, GroupRequest, Join, Refused, Say, decide, evolve

NOW = "2026-01-31T10:42:00.000Z"


def main() -> None:
    group: Group | None = None
    asked: list[tuple[str, GroupRequest]] = [
        ("alice", Create("wob")),
        ("bob", Join("wob")),
        ("bob", Say("wob", "bonjour")),
        ("bob", Ban("wob", "alice")),
        ("alice", Ban("wob", "bob", "spam")),
        ("bob", Join("wob")),
    ]
    for who, request in asked:
        try:
            event = decide(group, request, who, ts=NOW, known_dest=getattr(request, "dest", None))
        except Refused as refusal:
            print(f"{who} may not {request.action}: {refusal.code}")
        else:
            group = evolve(group, event)
            print(f"event {event.seq}: {event.action} by {event.sender}, members: {', '.join(group.members.values())}")


if __name__ == "__main__":
    main()
