// The two lists beside a conversation: where one can go, and who is there.

import { key } from "./protocol.js";
import { clean, make, nick, say } from "./text.js";

const $ = (id) => document.getElementById(id);
const button = (word, onclick, label = "") => make("button", { onclick, type: "button", ariaLabel: label }, say(word));
const by = (a, b) => (key(a.name) < key(b.name) ? -1 : 1);

/** Replace the children of *box*, unless nothing changed: focus stays where it is. */
function fill(box, ...children) {
  const made = make("div", {}, ...children);
  if (made.innerHTML === box.innerHTML) return;
  const at = [...box.querySelectorAll("button")].indexOf(document.activeElement);
  box.replaceChildren(...made.childNodes);
  if (at >= 0) box.querySelectorAll("button")[at]?.focus();
}

export function showPlaces({ mirror, chats, chat, doing }) {
  const views = [...mirror.groups.values()];
  const row = (it) => {
    const name = it.name || say("p.everybody");
    const about = `${name}${it.unread ? `, ${it.unread} ${say("unread")}` : ""}`;
    const made = make("button", { onclick: () => doing.open(it), ariaLabel: clean(about) }, make("span", {}, clean(name)));
    if (it.mentions) made.append(make("span", { className: "badge at" }, `@${it.mentions}`));
    else if (it.unread) made.append(make("span", { className: "badge" }, String(it.unread)));
    made.ariaCurrent = String(it === chat);
    return make("li", {}, made);
  };
  const of = (kind) => [...chats.values()].filter((it) => it.kind === kind);
  const groups = of("group").filter((it) => it === chat || mirror.view(it.name).isMember);
  const invited = views.filter((view) => view.isInvited && !view.isMember);
  const title = (word) => make("li", {}, make("h2", {}, say(word)));
  fill($("me"), nick(mirror.name));
  fill(
    $("list"), row(chats.get("*")), title("p.groups"), ...groups.sort(by).map(row),
    ...invited.sort(by).map(({ name }) => make("li", { className: "row" }, `${clean(name)}: ${say("p.invites")}`,
      button("p.join", () => doing.send("join", { group: name }), `${say("p.join")} ${name}`),
      button("p.decline", () => doing.send("leave", { group: name }), `${say("p.decline")} ${name}`))),
    ...(of("user").length ? [title("p.people"), ...of("user").sort(by).map(row)] : []),
  );
  const others = [...mirror.listed.values()].filter((name) => !mirror.groups.get(key(name))?.isMember);
  fill($("listed"), ...others.map((name) => make("li", { className: "row" }, make("span", {}, clean(name)),
    button("p.join", () => doing.send("join", { group: name }), `${say("p.join")} ${name}`))));
}

export function showPeople({ mirror, chat, doing }) {
  const group = chat.kind === "group" ? mirror.view(chat.name).group : null;
  if (!group) return fill($("people"));
  const me = key(mirror.name);
  const owns = group.owner === me;
  const named = chat.name;
  const reason = [["reason", "p.reason", "text"]];
  const act = (word, action, dest, more) => button(word,
    () => (more ? doing.ask(action, word, { group: named, dest }, more) : doing.send(action, { group: named, dest })), `${say(word)} ${dest}`);
  const person = ([it, name], buttons) => {
    const isOn = mirror.online.has(it);
    const about = [it === me && say("p.you"), it === group.owner && say("p.owner")].filter(Boolean).join(", ");
    return make("li", {},
      make("span", { className: `dot ${isOn ? "on" : ""}`, role: "img", ariaLabel: say(isOn ? "p.online" : "p.away"), title: say(isOn ? "p.online" : "p.away") }),
      make("span", {}, nick(name), about ? make("span", { className: "dim" }, ` ${about}`) : null), ...buttons);
  };
  const others = (it, name) => (it === me ? [] : [
    button("p.write", () => doing.direct(name), `${say("p.write")} ${name}`),
    ...(owns ? [act("p.kick", "kick", name, reason), act("p.ban", "ban", name, reason)] : []),
  ]);
  const some = (word, map, buttons) => (map.size ? [make("h2", {}, say(word)), make("ul", {}, ...[...map].map((each) => person(each, buttons(each[1]))))] : []);
  const sorted = [...group.members].sort(([a], [b]) => (a < b ? -1 : 1));
  const invited = new Map(group.invited);
  fill(
    $("people"),
    make("h2", {}, `${say("p.members")} (${sorted.length})`, button("p.invite", () => doing.ask("invite", "p.invite", { group: named }, [["dest", "p.whom", "text"]]))),
    make("ul", {}, ...sorted.map((each) => person(each, others(...each)))),
    ...some("p.invited", invited, (name) => (owns ? [act("p.take-back", "kick", name)] : [])),
    ...some("p.banned", group.banned, (name) => (owns ? [act("p.unban", "unban", name)] : [])),
    button("p.leave", () => doing.ask("leave", "p.leave-sure", { group: named }, [])),
  );
}
