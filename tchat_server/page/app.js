// The page: what a person does becomes requests, what the server says is shown where it belongs.

import { Link } from "./link.js";
import { Chat, Log, Search, entryOf } from "./log.js";
import { showPeople, showPlaces } from "./places.js";
import { COMMANDS, Mistyped, checkUser, find, isEvent, key, parse } from "./protocol.js";
import { suggest } from "./suggest.js";
import { choose, clean, language, make, mistyped, refusal, say, words } from "./text.js";
import { Wire } from "./wire.js";

const $ = (id) => document.getElementById(id);
const TITLE = "tchat";
const store = {
  get: (name) => localStorage.getItem(`tchat.${name}`) ?? "",
  set: (name, value) => localStorage.setItem(`tchat.${name}`, value),
};

const chats = new Map([["*", new Chat("*", "all", "")]]);
const late = new Map(); // id -> row of a text that is not confirmed
const answers = new Map(); // id -> what to do with the answer to a question of the page's own
const typed = [];
let link, chat, recalled = 0, isStale = false;

const log = new Log($("log"), $("down"), older);
const search = new Search();
const wire = new Wire($("objects"), () => link.mirror);

// ---- coming in

function enter(name, password) {
  const token = name ? store.get(`token.${key(name)}`) : "";
  const url = new URL("/tchat", location);
  url.protocol = url.protocol.replace("http", "ws");
  link = new Link(url.href, { name, password, token, watcher: { heard, status, refused, token: keep, unconfirmed, wire: wire.add } });
  link.open();
}

function keep(token) {
  if (!link.name) return;
  store.set(`token.${key(link.name)}`, token);
  store.set("name", link.name);
}

function refused(error) {
  store.set("name", "");
  $("refused").textContent =
    error.code === "name-in-use" ? say("p.in-use", { name: link.name }) : refusal(error, null, link.name);
  $(error.code.startsWith("auth") ? "password" : "name").focus();
}

function status(state, seconds) {
  const text = state === "offline" ? say("p.offline", { seconds: Math.round(seconds) }) : say(state === "over" ? "server-quit" : state);
  $("status").textContent = text;
  $("status").classList.toggle("off", state !== "online");
  if (state === "offline") {
    $("status").append(" ", make("button", { onclick: () => link.open() }, say("p.now")));
    if ($("chat").hidden) $("refused").textContent = text;
  }
  if (state !== "online") return;
  $("refused").textContent = "";
  const isFirst = $("chat").hidden;
  $("door").hidden = !($("chat").hidden = false);
  link.send("groups", {}, true);
  link.send("client-list-clients", {}, true);
  if (isFirst) begin();
  touch();
}

function begin() {
  for (const view of link.mirror.groups.values()) if (view.isMember) chatOf(view.name, view.seq);
  const last = chats.get(`#${store.get(`last.${key(link.mirror.name)}`)}`);
  open(last ?? [...chats.values()].find(({ kind }) => kind === "group") ?? chats.get("*"));
  $("text").focus();
}

// ---- conversations

const readKey = (it) => `read.${key(link.mirror.name)}.${it.id}`;

function chatOf(name, seq = 0) {
  const id = `#${key(name)}`;
  if (!chats.has(id)) {
    const made = new Chat(id, "group", name);
    made.read = Number(store.get(readKey(made))) || seq;
    made.unread = Math.max(0, seq - made.read);
    chats.set(id, made);
  }
  return chats.get(id);
}

function direct(name) {
  const id = `@${key(name)}`;
  if (!chats.has(id)) chats.set(id, new Chat(id, "user", name));
  return chats.get(id);
}

function open(it) {
  if (chat) chat.marker = 0;
  chat = it;
  it.marker = it.unread && it.kind === "group" ? it.read : 0;
  $("chat").classList.remove("places");
  $("title").textContent = it.name || say("p.everybody");
  const to = it.name || say("p.everybody");
  $("log").ariaLabel = say("p.log", { to });
  $("text").placeholder = $("text").ariaLabel = say("p.text", { to });
  $("needle").placeholder = $("needle").ariaLabel = say("p.search-in", { to });
  if (it.kind === "group") store.set(`last.${key(link.mirror.name)}`, key(it.name));
  log.show(it);
  if (it.kind === "group" && !it.isLoaded) older(it);
  seen();
  touch();
}

/** What is shown of the current chat is read, if anybody looks. */
function seen() {
  if (!chat || document.hidden) return;
  chat.unread = chat.mentions = 0;
  if (chat.kind === "group" && chat.last > chat.read) {
    chat.read = chat.last;
    store.set(readKey(chat), chat.read);
  }
}

/** Ask for a page of what came before; again while the last read line is not among it. */
function older(it, then) {
  if (!it.hasOlder || it.kind !== "group") return then?.();
  if (it.isLoading) return then && it.waiting.push(then);
  const before = it.first;
  const asked = link.send("states", { group: it.name, all: true, limit: 100, ...(before && { before }) }, true);
  if (!asked) return;
  it.isLoading = true;
  answers.set(asked.id, (page) => {
    it.isLoading = false;
    const wasLoaded = it.isLoaded;
    it.isLoaded = true;
    it.hasOlder = page.action === "states" && page.more;
    log.prepend(it, page.action === "states" ? page.list.map((event) => entryOf(event, link.mirror)) : []);
    if (it.marker && it.first > it.marker && it.entries.length < 1000) older(it);
    else if (!wasLoaded && it === chat) log.show(it);
    else if (it.marker && it === chat && it.entries.length <= 1000 && before > it.marker) log.show(it);
    if (it === chat) seen();
    for (const next of [then, ...it.waiting.splice(0)]) next?.();
  });
}

// ---- what is heard

function heard(notices) {
  for (const notice of notices) {
    const { kind, message, request, group, count } = notice;
    if (kind === "heard" && answers.has(message.id)) {
      answers.get(message.id)(message);
      answers.delete(message.id);
    } else if (kind === "heard") take(message, notice);
    else if (kind === "no-answer") unanswered(request);
    else note(say(kind, { group, count }), chats.get(`#${key(group)}`) ?? chat);
  }
  touch();
}

function take(message, { request, missed, quiet }) {
  if (request) settle(request.id);
  const { action } = message;
  if (isEvent(message)) return happened(message, request, missed);
  if (action === "server-send" || (action === "server-broadcast" && !message.event)) {
    const { mirror } = link;
    const it = action === "server-send" ? direct(mirror.isMe(message.from) ? message.to : message.from) : chats.get("*");
    return spoke(it, entryOf(message, mirror));
  }
  if (quiet || !chat) return;
  if (action === "error") note(`${request ? `${request.action}: ` : ""}${refusal(message, request, link.mirror.name)}`, chat, "problem");
  else if (action === "server-broadcast") note(say(message.event, { name: message.name }), chats.get("*"));
  else if (action === "states" || action === "msgs") {
    for (const event of message.list) note(`${event.seq}. ${event.action === "gbroadcast" ? `${event.sender}: ${event.msg}` : entryOf(event, link.mirror).text}`);
    if (!message.list.length) note(say(`${action}.none`, { group: message.group }));
  } else if (action === "register") note(say("register", { name: message.from }));
  else if (action !== "server-hello") note(answer(message));
}

function answer({ action, list = [], msg, mine }) {
  const key_ = { members: "members", groups: "groups", "server-list-clients": "server-list-clients" }[action];
  if (!key_) return clean(msg);
  const names = list.join(", ");
  const text = list.length ? say(key_, { count: list.length, names }) : say(`${key_}.none`);
  return mine?.length ? `${text}; ${say("groups.mine", { names: mine.join(", ") })}` : text;
}

function happened(event, request, missed) {
  const it = chatOf(event.group, event.seq - 1);
  if (it.seqs.has(event.seq)) return;
  const view = link.mirror.view(event.group);
  if (event.action === "cgroupe" || (event.action === "join" && link.mirror.isMe(event.sender))) it.hasOlder = event.seq > 1;
  const entry = entryOf(event, link.mirror, missed);
  if (event.dest && link.mirror.isMe(event.dest) && !view.isMember && it !== chat) note(entry.text, chat);
  spoke(it, entry);
  if (request && ["cgroupe", "join"].includes(event.action) && it !== chat) open(it);
  if (it === chat && !view.isMember && event.action === "leave" && link.mirror.isMe(event.sender)) {
    chats.delete(it.id);
    open(chats.get("*"));
  }
}

function spoke(it, entry) {
  log.add(it, entry);
  const isUnseen = document.hidden || it !== chat;
  if (entry.kind === "text" && !entry.mine && isUnseen) {
    if (it === chat && !it.unread) it.marker = it.read;
    it.unread++;
    if (entry.mention || it.kind === "user") {
      it.mentions++;
      notify(it, entry);
    }
  }
  if (!isUnseen) seen();
}

function note(text, it = chat, kind = "note") {
  log.add(it ?? chats.get("*"), { kind, ts: new Date().toISOString(), text: clean(text) });
}

// ---- what is not confirmed

function unconfirmed(request) {
  if (late.has(request.id)) return;
  const row = make("div", {}, `${clean(request.msg ?? request.action)} — ${say("not-confirmed")} `);
  late.set(request.id, row);
  $("late").append(row);
}

function unanswered(request) {
  settle(request.id);
  unconfirmed(request);
  const again = make("button", {}, say("p.again"));
  again.onclick = () => {
    const { action, id, from, name, sender, ...fields } = request; // the same id: done once, whatever happened
    if (link.send(action, { ...fields, id })) settle(id);
  };
  late.get(request.id).replaceChildren(`${clean(request.msg ?? request.action)} — ${say("no-answer")} `, again);
}

function settle(id) {
  late.get(id)?.remove();
  late.delete(id);
}

// ---- what is typed

function submit() {
  const line = $("text").value;
  if (!line.trim()) return;
  try {
    if (!act(line)) return note(say("p.not-sent"), chat, "problem");
  } catch (error) {
    if (!(error instanceof Mistyped)) throw error;
    return note(mistyped(error), chat, "problem");
  }
  if (!/register/i.test(line)) typed.push(line);
  recalled = typed.length;
  $("text").value = "";
  resize();
}

/** Do what a line says; false if it could not be sent. */
function act(line) {
  const isGroup = chat.kind === "group";
  const meant = parse(line, isGroup ? chat.name : chat.name || "-");
  const { command, action, fields } = meant;
  if (meant.plain && !isGroup) {
    return link.send(...(chat.kind === "user" ? ["client-send", { to: chat.name, msg: line }] : ["client-broadcast", { msg: line }]));
  }
  if (command.current && fields.group !== undefined && !isGroup && fields.group === (chat.name || "-")) throw new Mistyped("no-group");
  const local = { help, use, raw: ({ text }) => link.sendRaw(text), trace: ({ on }) => (showWire(on), true), register };
  if (command.name === "q") return leaveAll(), true;
  return command.name in local ? local[command.name](fields) : link.send(action, fields);
}

function help({ command: name }) {
  const command = name && find(name);
  if (command) note(`${words(command.form)}   ${say(`help.${command.name}`)}\n${command.example}`);
  else note(COMMANDS.map((each) => `${words(each.form)}   ${say(`help.${each.name}`)}`).join("\n"));
  return true;
}

function use({ group }) {
  if (!link.mirror.view(group).isMember) note(refusal({ code: "not-member", group }, null, ""), chat, "problem");
  else open(chatOf(group));
  return true;
}

function register({ password }) {
  if (password) return link.send("register", { password });
  ask(say("p.protect"), [["password", "p.new-password", "password"]]).then((found) => found?.password && link.send("register", found));
  return true;
}

function resize() {
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight + 2}px`;
  suggest($("suggest"), $("text"), link?.mirror, chat, resize);
}

$("text").addEventListener("input", resize);
$("text").addEventListener("keydown", (event) => {
  const { key: pressed, shiftKey, isComposing } = event;
  const first = $("suggest").querySelector("button");
  if (pressed === "Enter" && !shiftKey && !isComposing) submit();
  else if (pressed === "Tab" && !shiftKey && first) first.click();
  else if (pressed === "Escape" && first) $("suggest").hidden = !$("suggest").replaceChildren();
  else if (pressed === "ArrowUp" && recalled > 0 && (!$("text").value || $("text").value === typed[recalled])) recall(-1);
  else if (pressed === "ArrowDown" && $("text").value && $("text").value === typed[recalled]) recall(1);
  else return;
  event.preventDefault();
});

function recall(step) {
  recalled += step;
  $("text").value = typed[recalled] ?? "";
  resize();
}

// ---- dialogs, panels, notifications

/** Ask for values: [name, word, type, value?] each; null if the person cancels. */
function ask(title, fields) {
  $("dialog-title").textContent = title;
  $("dialog-ok").textContent = title.split(" ").length > 3 ? "OK" : title;
  $("dialog-fields").replaceChildren(...fields.map(([name, word, type, value = ""]) => {
    const input = make("input", { name, type, value, autocomplete: type === "password" ? "new-password" : "off", required: name === "group" || name === "dest" || type === "password" });
    return type === "checkbox" ? make("label", {}, input, say(word)) : make("label", {}, say(word), input);
  }));
  $("dialog").returnValue = "";
  $("dialog").showModal();
  return new Promise((done) => {
    $("dialog").onclose = () => {
      const inputs = [...$("dialog-fields").querySelectorAll("input")];
      const found = inputs.map((it) => [it.name, it.type === "checkbox" ? it.checked : it.value]);
      done($("dialog").returnValue ? Object.fromEntries(found) : null);
    };
  });
}

const doing = {
  open,
  direct: (name) => open(direct(name)),
  send: (action, fields) => link.send(action, fields) || note(say("p.not-sent"), chat, "problem"),
  async ask(action, word, fields, more) {
    const found = await ask(fields.dest ? `${say(word)} ${fields.dest}` : say(word, fields), more);
    if (found) doing.send(action, { ...fields, ...found });
  },
};

/** Redraw the lists and the title soon; once, however much happened. */
function touch() {
  if (isStale) return;
  isStale = true;
  setTimeout(() => {
    isStale = false;
    if (!link || !chat) return;
    const unread = [...chats.values()].reduce((sum, it) => sum + it.unread, 0);
    document.title = `${unread ? `(${unread}) ` : ""}${chat.name || say("p.everybody")} · ${TITLE}`;
    showPlaces({ mirror: link.mirror, chats, chat, doing });
    showPeople({ mirror: link.mirror, chat, doing });
    $("chat").classList.toggle("alone", chat.kind !== "group");
    $("show-people").hidden = chat.kind !== "group";
  }, 60);
}

function notify(it, entry) {
  if (globalThis.Notification?.permission !== "granted") return;
  const shown = new Notification(`${entry.who}${it.kind === "group" ? ` · ${it.name}` : ""}`, { body: clean(entry.text).slice(0, 200), tag: it.id });
  shown.onclick = () => (window.focus(), open(it), shown.close());
}

function leaveAll() {
  store.set("name", "");
  link.quit();
  setTimeout(() => location.reload(), 300);
}

function panel(name, button, isOn = !$("chat").classList.contains(name)) {
  for (const other of ["places", "people", "wired"]) $("chat").classList.toggle(other, other === name && isOn);
  $("wire").hidden = !$("chat").classList.contains("wired");
  $("objects").scrollTop = $("objects").scrollHeight;
  for (const [it, which] of [["menu", "places"], ["show-people", "people"], ["show-wire", "wired"]]) $(it).ariaExpanded = $("chat").classList.contains(which);
}
const showWire = (isOn) => panel("wired", "show-wire", isOn);

function look() {
  $("found").textContent = say("p.found", { count: search.run(chat, $("needle").value) });
  search.next();
}

$("menu").onclick = () => panel("places");
$("show-people").onclick = () => panel("people");
$("show-wire").onclick = () => showWire();
$("wire-close").onclick = () => (showWire(false), $("show-wire").focus());
$("wire-clear").onclick = () => $("objects").replaceChildren();
$("create").onclick = () => doing.ask("cgroupe", "p.create", {}, [["group", "p.group-name", "text"], ["private", "p.is-private", "checkbox"]]);
$("others").ontoggle = () => $("others").open && link.send("groups", {}, true);
$("protect").onclick = () => register({});
$("leave-all").onclick = leaveAll;
$("notify").onclick = async () => {
  const answer_ = await globalThis.Notification?.requestPermission();
  $("notify").textContent = say(answer_ === "granted" ? "p.notify-on" : "p.notify-off");
};
$("find").onclick = () => ($("search").hidden = !$("search").hidden) || $("needle").focus();
$("search-close").onclick = () => ($("search").hidden = true) && (search.run(chat, ""), $("text").focus());
$("search").onsubmit = (event) => (event.preventDefault(), search.hits.length ? search.next() : look());
$("needle").oninput = look;
$("previous").onclick = () => search.next();
$("further").onclick = () => older(chat, () => {
  look();
  if (!search.hits.length && chat.hasOlder) $("further").click();
});
$("compose").onsubmit = (event) => (event.preventDefault(), submit());
$("object").oninput = () => ($("object-fault").textContent = wire.check($("object").value));
$("own").onsubmit = (event) => {
  event.preventDefault();
  if (!link.sendRaw($("object").value)) $("object-fault").textContent = say("p.not-sent");
};
$("guest").onclick = () => enter("", "");
$("enter").onsubmit = (event) => {
  event.preventDefault();
  const name = checkUser($("name").value);
  $("refused").textContent = name === null ? say("p.bad-name") : "";
  if (name !== null) enter(name, $("password").value);
};
$("language").onchange = () => (choose($("language").value), store.set("language", language()), chat && open(chat));
document.addEventListener("visibilitychange", () => (seen(), touch()));

choose(store.get("language") || navigator.language.slice(0, 2));
$("language").value = language();
$("name").value = store.get("name");
if (store.get("name")) enter(store.get("name"), "");
else $("name").focus();
