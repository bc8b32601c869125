// The two lists beside a conversation: where one can go, and who is there.

import { key } from "./protocol.js";
import { clean, face, language, make, nick, say } from "./text.js";

let drawn = []; // of which state the people are shown
const $ = (id) => document.getElementById(id);
const MOST_SHOWN = 300; // of ten thousand; each command takes any name
const by = (a, b) => (key(a.name) < key(b.name) ? -1 : 1);
const button = (word, onclick, label = say(word)) => make("button", { onclick, type: "button", ariaLabel: label }, say(word));
/** What stands before the name of a conversation of each kind. */
export const SIGNS = { all: "∗", group: "#", user: "@" };

/** A button that does something to *name*. */
const about = (word, name, onclick) => button(word, onclick, `${say(word)} ${clean(name)}`);

/** Replace the children of *box*, unless nothing changed: focus stays where it is. */
function fill(box, ...children) {
  const made = make("div", {}, ...children);
  if (made.innerHTML === box.innerHTML) return;
  const at = [...box.querySelectorAll("button")].indexOf(document.activeElement);
  box.replaceChildren(...made.childNodes);
  if (at < 0) return;
  const instead = matchMedia("(hover: hover)").matches ? $("text") : null; // elsewhere a keyboard would come up
  (box.querySelectorAll("button")[at] ?? instead)?.focus();
}

export function showPlaces({ mirror, listed, chat, invitations }, doing) {
  const of = (kind) => listed.filter((it) => it.kind === kind).map((it) => place(it, chat, doing));
  const title = (word) => make("li", {}, make("h2", {}, say(word)));
  const invited = invitations.sort(by);
  const direct = of("user");
  fill($("me"), face(mirror.name), nick(mirror.name));
  fill(
    $("list"), ...of("all"), title("p.groups"), ...of("group"), ...invited.map(({ name }) => invitation(name, doing)),
    ...(direct.length ? [title("p.people"), ...direct] : []),
  );
  if (!$("others").open) return;
  const others = [...mirror.listed.values()].filter((name) => !mirror.groups.get(key(name))?.isMember);
  const joinable = others.map((name) =>
    make("li", {}, make("span", { className: "one-line" }, clean(name)), about("p.join", name, () => doing.send("join", { group: name }))));
  fill($("listed"), ...(others.length ? joinable : [make("li", { className: "small" }, say("p.no-others"))]));
}

function place(it, chat, doing) {
  const name = clean(it.name) || say("p.everybody");
  const count = `${it.unread}${it.hasMore ? "+" : ""}`;
  const label = [name, it.unread && say("p.unread", { count: it.hasMore ? count : it.unread }), it.mentions && `@${it.mentions}`].filter(Boolean).join(", ");
  const badge = (kind, text) => make("span", { className: `badge ${kind}`, ariaHidden: "true" }, text);
  const sign = make("span", { className: "sign", ariaHidden: "true" }, SIGNS[it.kind]);
  const made = make("button", { type: "button", onclick: () => doing.open(it), ariaLabel: label }, sign, make("span", { className: "one-line" }, name));
  if (it.mentions) made.append(badge("at", `@${it.mentions}`));
  if (it.unread > it.mentions) made.append(badge("", count));
  made.classList.toggle("unread", it.unread > 0);
  made.ariaCurrent = String(it === chat);
  return make("li", {}, made);
}

function invitation(name, doing) {
  return make("li", { className: "card" },
    make("span", {}, say("p.invites"), make("b", {}, clean(name))),
    make("div", { className: "row" },
      about("p.join", name, () => doing.send("join", { group: name })),
      about("p.decline", name, () => doing.send("leave", { group: name }))));
}

export function showPeople({ mirror, chat }, doing) {
  const view = chat.kind === "group" ? mirror.view(chat.name) : null;
  const { owner, members, invited, banned } = view?.group ?? {};
  const state = [chat, view?.isMember, owner, members, invited, banned, mirror, mirror.presence, language()];
  if (state.every((value, at) => value === drawn[at])) return; // as after most texts
  drawn = state;
  if (view?.group) fill($("people"), ...peopleOf(view, mirror, doing));
  else if (view && !view.isMember) fill($("people"), ...stranger(view, doing));
  else if (chat.kind === "all") fill($("people"), ...connected(mirror, doing));
  else fill($("people"));
}

const write = (name, doing) => about("p.write", name, () => doing.direct(name));

function connected(mirror, doing) {
  const all = [...mirror.online].map((it) => [it, mirror.users.get(it)]).sort();
  const row = ([it, name]) => person(name, { isOn: true, isMe: mirror.isMe(name), hasDot: true }, mirror.isMe(name) ? [] : [write(name, doing)]);
  return [make("h2", {}, `${say("p.connected")} (${all.length})`), some(all, row)];
}

function stranger({ name }, doing) {
  return [make("p", { className: "small" }, say("gone", { group: name })), about("p.join", name, () => doing.send("join", { group: name }))];
}

function peopleOf({ name: group, group: { owner, ...lists } }, mirror, doing) {
  const me = key(mirror.name);
  const isOwner = owner === me;
  const reason = [["reason", "p.reason", "text"]];
  const ask = (word, action, dest) => about(word, dest, () => doing.ask(action, word, { group, dest }, reason));
  const send = (word, action, dest) => about(word, dest, () => doing.send(action, { group, dest }));
  const acts = {
    members: (it, name) => (it === me ? [] : [write(name, doing), ...(isOwner ? [ask("p.kick", "kick", name), ask("p.ban", "ban", name)] : [])]),
    invited: (it, name) => (isOwner ? [send("p.take-back", "kick", name)] : []),
    banned: (it, name) => (isOwner ? [send("p.unban", "unban", name)] : []),
  };
  const list = (kind) => some([...lists[kind]].sort(([a], [b]) => order(a, b, mirror, kind)), ([it, name]) =>
    person(name, { isOn: mirror.online.has(it), isMe: it === me, isOwner: it === owner, hasDot: kind === "members" }, acts[kind](it, name)));
  const others = [...mirror.users].filter(([it]) => !lists.members.has(it)).map(([, name]) => name);
  const more = (kind, word) => (lists[kind].size ? [make("h2", {}, say(word)), list(kind)] : []);
  return [
    make("h2", {}, `${say("p.members")} (${lists.members.size})`,
      button("p.invite", () => doing.ask("invite", "p.invite", { group }, [["dest", "p.whom", "text", others]]))),
    list("members"), ...more("invited", "p.invited"), ...more("banned", "p.banned"),
    button("p.leave", () => doing.ask("leave", "p.leave", { group }, [])),
  ];
}

/** The first of *all* as a list, and how many more there are. */
function some(all, row) {
  const more = all.length - MOST_SHOWN;
  return make("ul", {}, ...all.slice(0, MOST_SHOWN).map(row), more > 0 ? make("li", { className: "small" }, say("p.more", { count: more })) : null);
}

/** Members who are there come first. */
function order(a, b, { online }, kind) {
  const apart = kind === "members" ? online.has(b) - online.has(a) : 0;
  return apart || (a < b ? -1 : 1);
}

function person(name, { isOn, isMe, isOwner, hasDot }, acts) {
  const state = say(isOn ? "p.online" : "p.away");
  const roles = [isMe && say("p.you"), isOwner && say("p.owner")].filter(Boolean).join(", ");
  return make("li", { className: isOn ? "" : "away" },
    make("span", { className: "picture" }, face(name),
      hasDot ? make("span", { className: `dot ${isOn ? "on" : ""}`, role: "img", ariaLabel: state, title: state }) : null),
    make("span", { className: "who" }, nick(name), roles ? make("span", { className: "dim" }, roles) : null),
    acts.length ? make("span", { className: "acts" }, ...acts) : null);
}
