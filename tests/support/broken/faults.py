"""The mistakes `server.py` can make: what each is, and the cases that must fail for it, those and no others.

`*error*` stands for every case that expects an error, `*echo*` for every one that expects a text to come back.
"""

from __future__ import annotations

__all__ = ["CLIENTS", "CLIENT_FAULTS", "FAULTS", "SERVERS", "STUDENTS"]

# A student's first server: most is missing, so no list of cases is expected but what the report says of it.
STUDENTS: dict[str, str] = {
    "talks-only": "hello, list, send, broadcast and quit work; to all the rest it is silent",
    "leaves-the-requester-out": "events are told to the others only",
    "exits-on-groups": "the program ends when somebody asks for the groups",
}

FAULTS: dict[str, tuple[str, str]] = {
    "after-is-inclusive": (
        "a page after S begins with S",
        "history/after history/after-the-end",
    ),
    "answers-ack": (
        "ack- actions are answered",
        "fields/ack",
    ),
    "any-depth": (
        "objects of any depth are read",
        "framing/depth-9",
    ),
    "any-password-opens": (
        "a wrong password is accepted",
        "auth/wrong-password",
    ),
    "any-token-opens": (
        "a wrong token is accepted",
        "auth/stale-token-protected hello/wrong-token hello/token-is-personal",
    ),
    "ban-is-a-kick": (
        "a banned user may come back",
        "groups/bans-outlive-members invitations/banned invitations/private-banned "
        "moderation/banned-cannot-join moderation/banned-cannot-talk moderation/ban-anyone "
        "moderation/ban-invited",
    ),
    "believes-the-sender": (
        "the sender of a request is taken on trust",
        "aliases/who-first-wins hello/other-sender",
    ),
    "chokes-on-surrogates": (
        "a lone surrogate or U+0000 ends the connection",
        "fields/nul-in-text fields/nul-in-name fields/surrogate-in-text",
    ),
    "cleans-texts": (
        "line ends in texts become spaces",
        "talk/text-verbatim",
    ),
    "compares-bytes": (
        "names are compared byte by byte",
        "groups/create-other-case groups/name-as-created hello/name-in-use-other-case "
        "hello/name-in-use-full-width hello/sender-other-case lists/members-sorted lists/groups-sorted "
        "moderation/kick-other-case talk/send-to-other-case",
    ),
    "disconnecting-leaves": (
        "who disconnects leaves the groups",
        "groups/membership-outlives-connection hello/token-after-close hello/groups-and-seqs "
        "hello/no-group-after-kick hello/pending-invitation invitations/known-from-a-group "
        "moderation/kick-away",
    ),
    "drops-second-object": (
        "only the first object of a read is handled",
        "framing/two-objects-in-one-write framing/two-lines-in-one-write framing/carriage-returns "
        "framing/escapes-in-strings framing/nested-objects framing/garbage-then-request "
        "framing/bad-object-costs-only-itself framing/pacing framing/no-pacing-after-newline "
        "framing/answers-in-order history/told-before-listed",
    ),
    "endless-pages": (
        "a page has no limit in bytes",
        "history/page-bytes history/page-at-least-one",
    ),
    "endless-patience": (
        "garbage never closes the connection",
        "framing/garbage-three-times",
    ),
    "forgets-ids": (
        "a retry is a new request",
        "retry/same-id retry/create-again retry/leave-again retry/other-request retry/on-another-connection "
        "retry/after-losing-membership",
    ),
    "forgets-invitations": (
        "server-hello is not followed by invitations",
        "hello/pending-invitation",
    ),
    "forgets-newline": (
        "messages are not ended",
        "wire/frame",
    ),
    "forgets-reason": (
        "a kick without a reason has no reason field",
        "moderation/kick-without-reason moderation/ban-without-reason wire/shape",
    ),
    "forgets-ts": (
        "stamped messages have no ts",
        "fields/server-fields-ignored groups/create groups/join groups/leave groups/gbroadcast "
        "hello/pending-invitation history/msgs history/states history/time-never-falls invitations/invite "
        "invitations/again moderation/kick moderation/ban moderation/unban retry/same-id wire/shape",
    ),
    "gap-in-seq": (
        "a refused request uses up a seq",
        "groups/seq-without-gap",
    ),
    "groups-end": (
        "an empty group may be created again",
        "groups/create-emptied",
    ),
    "indents": (
        "messages are written over several lines",
        "wire/frame",
    ),
    "invite-adds": (
        "invite makes its target a member",
        "invitations/never-adds invitations/join-invited-public invitations/again invitations/by-invited "
        "invitations/join-private-invited invitations/used-up invitations/private-emptied "
        "invitations/private-history invitations/inviter-leaves lists/members-inside "
        "lists/groups-private-invited moderation/kick-private-voids-invitation",
    ),
    "invite-lifts-ban": (
        "invite lifts a ban",
        "invitations/banned",
    ),
    "invites-anew": (
        "a second invitation is a second event",
        "invitations/again",
    ),
    "keeps-invitations": (
        "join does not use the invitation up",
        "invitations/join-invited-public",
    ),
    "kicked-still-receive": (
        "who was kicked still gets the group's messages",
        "moderation/kick-last-word",
    ),
    "last-duplicate-wins": (
        "of two equal keys the last wins",
        "framing/duplicate-keys framing/duplicate-keys-nested",
    ),
    "leaks-history": (
        "strangers read the history",
        "history/outsider history/former-member invitations/private-history moderation/banned-cannot-read",
    ),
    "leavers-still-receive": (
        "who left still gets the group's messages",
        "groups/leave-hears-nothing-more groups/join-empty history/from-before-joining lists/groups-emptied",
    ),
    "lists-by-arrival": (
        "lists are not sorted",
        "lists/members-sorted lists/groups-sorted",
    ),
    "lists-empty-groups": (
        "groups without members are listed",
        "lists/groups-public",
    ),
    "lists-private-groups": (
        "everybody sees private groups",
        "lists/groups lists/groups-public lists/groups-private-hidden lists/groups-private-member "
        "lists/groups-private-invited",
    ),
    "members-kick": (
        "any member may kick",
        "groups/old-owner-is-nobody moderation/kick-by-member moderation/kick-the-owner moderation/role-before-target",
    ),
    "newest-first": (
        "pages are in falling order",
        "aliases/cgroup history/states history/states-all history/limit history/limit-exact "
        "history/after-zero history/from-before-joining history/page-bytes",
    ),
    "no-copy-of-texts": (
        "client-send does not come back to its sender",
        "aliases/to-dest talk/send talk/send-to-other-case talk/send-to-oneself",
    ),
    "no-echo": (
        "gbroadcast does not come back to its sender",
        "*echo* groups/membership-outlives-connection",
    ),
    "no-more": (
        "more is always false",
        "history/limit history/before history/after history/after-zero history/default-limit "
        "history/page-bytes history/page-at-least-one",
    ),
    "no-pacing": (
        "messages to a program that parses per chunk come all at once",
        "framing/pacing",
    ),
    "no-presence": (
        "nobody is told who comes and goes",
        "hello/connect-notice hello/disconnect-notice hello/presence-once",
    ),
    "no-succession": (
        "a group whose owner left has none",
        "groups/owner-leaves groups/succession-counts-from-last-join groups/old-owner-is-nobody "
        "moderation/new-owner-moderates",
    ),
    "parses-per-chunk": (
        "each read is taken for one object",
        "framing/two-objects-in-one-write framing/two-lines-in-one-write framing/carriage-returns "
        "framing/one-byte-writes framing/cut-anywhere framing/cut-inside-a-character "
        "framing/escapes-in-strings framing/nested-objects framing/garbage-then-request "
        "framing/garbage-three-times framing/bad-object-costs-only-itself framing/depth-5000 "
        "framing/frame-64-kib framing/frame-too-large framing/endless-frame framing/pacing "
        "framing/no-pacing-after-newline framing/answers-in-order history/told-before-listed "
        "history/after-5000-digits",
    ),
    "public-by-mistake": (
        "a group whose privacy cannot be read is public",
        "invitations/unreadable-privacy-private invitations/unreadable-privacy-ispublic "
        "invitations/unreadable-privacy-type",
    ),
    "strangers-talk": (
        "who is not a member may talk to the group",
        "groups/leave groups/gbroadcast-not-member invitations/never-adds moderation/kicked-cannot-talk",
    ),
    "takes-nan": (
        "NaN and Infinity are read",
        "framing/nan framing/infinity",
    ),
    "talks-http": (
        "HTTP and TLS are answered",
        "framing/http framing/tls-hello",
    ),
    "tells-strangers": (
        "a stranger is told of his ban",
        "groups/bans-outlive-members invitations/banned invitations/private-banned "
        "moderation/ban-stranger-silent moderation/unban moderation/unban-private "
        "moderation/unban-by-outsider",
    ),
    "tells-who-is-banned": (
        "members tells everybody who is invited and banned",
        "lists/members-outside",
    ),
    "true-is-1": (
        "true is taken for 1",
        "history/limit-true",
    ),
    "unban-adds": (
        "unban makes its target a member",
        "moderation/unban moderation/unban-private",
    ),
    "waits-for-newline": (
        "an object without a line end is not handled",
        "framing/two-objects-in-one-write framing/carriage-returns framing/no-newline framing/one-byte-writes "
        "framing/cut-anywhere framing/indented framing/escapes-in-strings framing/nested-objects "
        "framing/garbage-three-times framing/bad-object-costs-only-itself framing/raw-newline-in-string "
        "framing/frame-64-kib framing/frame-too-large framing/endless-frame framing/pacing "
        "framing/answers-in-order history/told-before-listed",
    ),
    "wrong-error-action": (
        "refusals are called server-error",
        "*error* wire/shape",
    ),
}

# One server makes several mistakes that do not hide each other: so many runs are needed, and no more.
SERVERS: tuple[tuple[str, ...], ...] = (
    (
        "parses-per-chunk",
        "members-kick",
        "forgets-ids",
        "lists-by-arrival",
        "unban-adds",
        "no-more",
    ),
    (
        "drops-second-object",
        "invite-lifts-ban",
        "leaks-history",
        "true-is-1",
        "believes-the-sender",
        "any-password-opens",
    ),
    (
        "waits-for-newline",
        "gap-in-seq",
        "kicked-still-receive",
        "groups-end",
        "lists-private-groups",
        "public-by-mistake",
    ),
    (
        "forgets-newline",
        "after-is-inclusive",
        "no-succession",
        "any-token-opens",
        "cleans-texts",
        "endless-patience",
        "ban-is-a-kick",
        "no-presence",
        "no-pacing",
    ),
    (
        "indents",
        "compares-bytes",
        "forgets-invitations",
        "answers-ack",
        "endless-pages",
        "invites-anew",
        "any-depth",
        "takes-nan",
        "tells-who-is-banned",
        "forgets-reason",
    ),
    ("wrong-error-action",),
    ("no-echo",),
    (
        "newest-first",
        "strangers-talk",
        "disconnecting-leaves",
        "tells-strangers",
        "last-duplicate-wins",
        "talks-http",
        "no-copy-of-texts",
    ),
    (
        "forgets-ts",
        "lists-empty-groups",
        "keeps-invitations",
        "chokes-on-surrogates",
    ),
    (
        "invite-adds",
        "leavers-still-receive",
    ),
)

CLIENTS: tuple[tuple[str, ...], ...] = (
    (
        "counts-ids",
        "cuts-everywhere",
        "decodes-per-chunk",
        "knows-all-actions",
        "leaves-without-a-word",
        "mistyped-is-text",
        "no-catch-up",
        "no-newline",
        "no-sender",
        "raw-output",
        "sends-at-once",
        "shows-repeats",
    ),
    ("parses-per-chunk", "stops-at-errors"),
)

CLIENT_FAULTS: dict[str, tuple[str, str]] = {
    "counts-ids": (
        "its ids are 1, 2, 3",
        "requests/ids",
    ),
    "cuts-everywhere": (
        "every ; cuts a typed line",
        "semicolons/send semicolons/gbroadcast semicolons/kick",
    ),
    "decodes-per-chunk": (
        "each read is decoded by itself",
        "reading/cut-character",
    ),
    "knows-all-actions": (
        "an action it does not know ends it",
        "reading/unknown-action",
    ),
    "leaves-without-a-word": (
        "it goes without client-quit",
        "hello/quit",
    ),
    "mistyped-is-text": (
        "what is no command is sent to all",
        "typing/mistyped",
    ),
    "no-catch-up": (
        "a gap in seq is not noticed",
        "reading/gap",
    ),
    "no-newline": (
        "requests end without LF",
        "framing/newline",
    ),
    "no-sender": (
        "requests carry no name",
        "hello/name hello/sender hello/from",
    ),
    "parses-per-chunk": (
        "each read is taken for one message",
        "reading/cut reading/cut-character reading/joined",
    ),
    "raw-output": (
        "control characters reach the terminal",
        "showing/no-controls",
    ),
    "sends-at-once": (
        "it waits neither for an answer nor 50 ms",
        "requests/one-write",
    ),
    "shows-repeats": (
        "a repeated message is shown again",
        "reading/repeat",
    ),
    "stops-at-errors": (
        "an error ends it",
        "reading/unknown-code reading/error-stays",
    ),
}
