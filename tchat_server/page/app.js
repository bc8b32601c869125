// The page: its parts put together, the door, the panels, and what the buttons do.

import { Composer } from "./composer.js";
import { ask } from "./dialog.js";
import { Late } from "./late.js";
import { Link } from "./link.js";
import { Log, Search } from "./log.js";
import { register } from "./password.js";
import { SIGNS, showPeople, showPlaces } from "./places.js";
import { checkUser, key } from "./protocol.js";
import { store } from "./store.js";
import { Talk } from "./talk.js";
import { choose, clean, language, make, refusal, say, tell } from "./text.js";
import { Wire } from "./wire.js";
import { LANGUAGES } from "./words.js";

const $ = (id) => document.getElementById(id);
const NAMES = { en: "English", fr: "Français" };
const REDRAW_MS = 60, SLOW_MS = 500;

let link, talk, isStale = false, ticking;
const log = new Log($("log"), $("down"), (chat) => talk.older(chat), () => talk.seen());
const search = new Search($("log"));
const late = new Late($("late"));
const wire = new Wire($("objects"), () => link.mirror);

function enter(name, password) {
  if (link) {
    link.watcher = {}; // what becomes of the try before is of no interest
    link.quit();
  }
  const url = new URL("/tchat", location);
  url.protocol = url.protocol.replace("http", "ws");
  const token = name ? store.get(`token.${key(name)}`) : "";
  const watcher = {
    heard: (...heard) => talk.heard(...heard),
    unconfirmed: (request) => late.show(request),
    wire: wire.add,
    status, refused, token: keep,
  };
  link = new Link(url.href, { name, password, token, watcher });
  talk = new Talk(link, log, store, { opened, changed, alerted, unanswered, settled });
  link.open();
}

function keep(token) {
  if (!link.name) return; // a guest comes back as another one
  store.set(`token.${key(link.name)}`, token);
  store.set("name", link.name);
}

function refused(error) {
  clearInterval(ticking);
  if (error.code === "name-in-use") store.set("name", "");
  $("name").value = link.name;
  const code = error.code === "auth-failed" && !$("password").value ? "auth-required" : error.code; // it was the token
  $("refused").textContent =
    code === "name-in-use" ? say("p.in-use", { name: link.name }) : refusal({ ...error, code }, null, link.name);
  $("door").hidden = !($("chat").hidden = true);
  $(code.startsWith("auth") ? "password" : "name").focus();
}

function status(state, seconds = 0) {
  clearInterval(ticking);
  $("status").classList.toggle("off", state !== "online");
  tell($("status"), state === "over" ? "server-quit" : state);
  if (state === "connecting") ticking = setTimeout(() => ($("refused").textContent = say(state)), SLOW_MS);
  if (state === "offline") wait(Date.now() + seconds * 1000);
  if (state === "offline") talk.lost();
  changed();
  if (state !== "online") return;
  $("refused").textContent = $("password").value = "";
  const isFirst = $("chat").hidden;
  $("door").hidden = !($("chat").hidden = false);
  for (const question of ["groups", "client-list-clients"]) link.send(question, {}, true);
  if (isFirst) {
    talk.begin();
    $("text").focus();
  }
}

/** Say when the next try is, every second: who hears the page, hears of a timer once. */
function wait(at) {
  const box = $($("chat").hidden ? "refused" : "status"), left = make("span", { role: "timer", ariaLive: "off" });
  delete box.dataset.w;
  box.replaceChildren(tell(make("span"), "p.offline"), " ", left, " ", tell(make("button", { type: "button", onclick: () => link.wake() }), "p.now"));
  const tick = () => (left.textContent = say("p.next-try", { seconds: Math.max(0, Math.ceil((at - Date.now()) / 1000)) }));
  ticking = setInterval(tick, 1000);
  tick();
}

function leaveAll() {
  store.set("name", ""); // whoever sits down here next is somebody else
  for (const what of ["token", "kept"]) store.set(`${what}.${key(link.mirror.name)}`, "", what === "kept");
  link.quit();
  setTimeout(() => location.reload(), 300);
  return true;
}

function opened(it, before) {
  composer.turn(it, before);
  if ($("chat").classList.contains("places")) panel("places", false);
  if (!$("search").hidden) seek(false);
  const to = it.name || say("p.everybody");
  $("title").textContent = clean(to);
  $("title").dataset.sign = SIGNS[it.kind];
  $("log").ariaLabel = say("p.log", { to });
  $("text").placeholder = $("text").ariaLabel = say("p.text", { to });
  $("needle").placeholder = $("needle").ariaLabel = say("p.search-in", { to });
  if (matchMedia("(hover: hover)").matches) $("text").focus(); // elsewhere a keyboard would cover half of it
}

function settled(id) {
  late.settle(id);
  queueMicrotask(() => composer.answered()); // then the group is open that one asked for
}

/** Redraw the lists and the title soon; once, however much happened. */
function changed() {
  if (isStale) return;
  isStale = true;
  setTimeout(() => {
    isStale = false;
    if (!talk?.chat) return;
    document.title = `${talk.total ? `(${talk.total}) ` : ""}${clean(talk.chat.name) || say("p.everybody")} · tchat`;
    showPlaces(talk, doing);
    showPeople(talk, doing);
    const isAlone = talk.chat.kind === "user";
    $("chat").classList.toggle("alone", isAlone);
    $("show-people").hidden = isAlone;
    $("protect").hidden = !link.name; // a guest has none
    const elsewhere = talk.total - talk.chat.unread + talk.invitations.length;
    $("menu").classList.toggle("unread", elsewhere > 0);
    $("menu").ariaLabel = say("p.menu") + (elsewhere ? `, ${say("p.unread", { count: elsewhere })}` : "");
  }, REDRAW_MS);
}

function alerted(it, entry) {
  if (globalThis.Notification?.permission !== "granted") return;
  const title = clean(it.kind === "group" ? `${entry.who} · ${it.name}` : entry.who);
  try {
    const shown = new Notification(title, { body: clean(entry.text).slice(0, 200), tag: it.id, icon: "icon.svg" });
    shown.onclick = () => (window.focus(), talk.open(it), shown.close());
  } catch {
    tellNotify("denied"); // on Android a page may ask, and yet not notify
  }
}

const tellNotify = (permission) => tell($("notify"), permission === "granted" ? "p.notify-on" : "p.notify-off");

/** The same id again: it is done once, whatever happened. */
function unanswered(request) {
  late.ask(request, ({ action, id, from, name, sender, ...fields }) => link.send(action, { ...fields, id }));
}

const doing = {
  open: ({ id }) => talk.open(talk.chats.get(id) ?? talk.everybody),
  direct: (name) => talk.open(talk.direct(name)),
  send: (action, fields) => link.send(action, fields) || talk.problem(say("p.not-sent")),
  async ask(action, word, fields, more) {
    const title = action === "invite" ? say("p.invite-to", fields) : `${say(word)} ${clean(fields.dest ?? fields.group ?? "")}`;
    const found = await ask(action, title, say(word), more);
    if (found) doing.send(action, { ...fields, ...found });
  },
};

const composer = new Composer($("text"), $("suggest"), () => talk, {
  q: leaveAll,
  register: (fields) => register(talk, fields),
  raw: ({ text }) => link.sendRaw(text),
  trace: ({ on }) => (panel("wired", on), true),
  more({ name }) {
    if (name) talk.open(name.startsWith("@") ? talk.direct(name.slice(1)) : talk.group(name));
    talk.older(talk.chat);
    return true;
  },
  search({ text }) {
    const [, name, word] = text.match(/^@([\p{L}\p{N}_.-]+)\s+(.+)$/su) ?? [];
    if (name) talk.open(talk.direct(name));
    seek(true);
    $("needle").value = word ?? text;
    look();
    if (name && !search.hits.length) lookFurther();
    return true;
  },
  clear: () => (talk.clear(), true),
  mute: ({ name }) => (talk.mute(name, true), true),
  unmute: ({ name }) => (talk.mute(name, false), true),
});

const PANELS = { places: "menu", people: "show-people", wired: "show-wire" };

function panel(name, isOn = !$("chat").classList.contains(name)) {
  for (const [each, button] of Object.entries(PANELS)) {
    $("chat").classList.toggle(each, each === name && isOn);
    $(button).ariaExpanded = String(each === name && isOn);
  }
  $("wire").hidden = !(name === "wired" && isOn);
  wire.show(!$("wire").hidden);
}

function look(at) {
  $("found").textContent = say("p.found", { count: search.run(talk.chat, $("needle").value, at) });
}

/** Fetch what is older until more is found. */
function lookFurther() {
  const { at, hits: { length } } = search;
  const { chat } = talk;
  $("found").textContent = "…";
  talk.older(chat, () => {
    if ($("search").hidden || chat !== talk.chat) return;
    look(at);
    if (search.hits.length > length) look(length);
    else if (chat.hasOlder) lookFurther();
  });
}

function seek(isOn) {
  $("search").hidden = !isOn;
  if (isOn) search.begin(talk.chat);
  else search.run(talk.chat, "");
  $(isOn ? "needle" : "text").focus();
}

const CLICKS = {
  menu: () => panel("places"),
  "show-people": () => panel("people"),
  "show-wire": () => panel("wired"),
  "wire-close": () => (panel("wired", false), $("show-wire").focus()),
  "wire-clear": () => wire.clear(),
  create: () => doing.ask("cgroupe", "p.create", {}, [["group", "p.group-name", "text"], ["private", "p.is-private", "checkbox"]]),
  protect: () => register(talk, {}),
  "leave-all": leaveAll,
  notify: async () => tellNotify(await globalThis.Notification?.requestPermission()),
  find: () => seek($("search").hidden),
  "search-close": () => seek(false),
  following: () => search.step(-1),
  further: lookFurther,
  guest: () => enter("", ""),
};
for (const [id, act] of Object.entries(CLICKS)) $(id).onclick = act;

const SUBMITS = {
  enter() {
    const name = checkUser($("name").value);
    $("refused").textContent = name === null ? say("p.bad-name") : "";
    if (name !== null) enter(name, $("password").value);
  },
  search: () => (search.hits.length ? search.step(1) : look()),
  compose: () => composer.submit(),
  own() {
    if (!link.sendRaw($("object").value)) $("object-fault").textContent = say("p.not-sent");
  },
};
for (const [id, act] of Object.entries(SUBMITS)) $(id).onsubmit = (event) => (event.preventDefault(), act());

$("needle").oninput = () => look();
$("object").oninput = () => ($("object-fault").textContent = wire.check($("object").value));
$("object").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey) event.preventDefault(), $("own").requestSubmit();
};
$("others").ontoggle = () => ($("others").open && link.send("groups", {}, true), changed());
document.addEventListener("keydown", (event) => {
  if (!talk?.chat || $("dialog").open) return;
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (event.altKey && step) talk.step(step);
  else if (event.key !== "Escape" || event.defaultPrevented) return;
  else if (!$("search").hidden) seek(false);
  else {
    panel("wired", false);
    $("text").focus();
  }
  event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) link?.wake();
  if (!talk?.chat) return;
  talk.seen();
  changed();
});
window.addEventListener("online", () => link?.wake());
window.addEventListener("storage", ({ key: name, newValue }) => talk?.chat && talk.readElsewhere((name ?? "").replace("tchat.", ""), Number(newValue)));

for (const select of document.querySelectorAll("select.language")) {
  select.append(...LANGUAGES.map((code) => make("option", { value: code, lang: code }, NAMES[code])));
  select.onchange = async () => {
    await choose(select.value);
    store.set("language", language());
    if (talk?.chat) talk.open(talk.chat);
  };
}
await choose(store.get("language") || navigator.language.slice(0, 2));
if (globalThis.Notification?.permission === "granted") tellNotify("granted");
$("name").value ||= store.get("name"); // somebody may have begun to type
if (store.get("name")) enter(store.get("name"), "");
else $("name").focus();
