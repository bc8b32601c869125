// The line that is typed: what it does, what may come next in it, and what was typed before.

import { COMMANDS, Mistyped, find, mayHoldSecret, parse } from "./protocol.js";
import { options } from "./suggest.js";
import { make, mistyped, refusal, say, words } from "./text.js";

const MOST_SHOWN = 8, NOWHERE = " "; // no group has this name
const LATER = Symbol("later");

/** *doing* has the commands that concern the client itself; *talk* is asked for when it is needed. */
export class Composer {
  constructor(input, box, talk, doing) {
    Object.assign(this, { input, box, talk, doing, typed: [], recalled: 0, offered: [], chosen: -1, from: null });
    input.addEventListener("input", () => this.changed());
    input.addEventListener("keydown", (event) => this.#pressed(event) && event.preventDefault());
  }

  /** Fit the height to the text, and offer what may come next. */
  changed() {
    const { input, input: { form } } = this;
    form.style.height = `${form.offsetHeight}px`; // the log above keeps its place while this is measured
    input.style.height = "auto";
    input.style.height = `${input.scrollHeight + 2}px`;
    form.style.height = "";
    const line = input.value;
    const isAtEnd = line && input.selectionEnd === line.length;
    this.#offer(isAtEnd && this.talk() ? options(line, this.talk()).slice(0, MOST_SHOWN) : []);
  }

  /** The line that was begun in another conversation waits there. */
  turn(chat, before) {
    if (!before) return;
    before.draft = this.input.value;
    this.#put(chat.draft);
  }

  submit() {
    const line = this.input.value;
    const talk = this.talk();
    if (!line.trim()) return;
    try {
      const done = this.#act(line, talk);
      if (done === LATER) return (this.from = talk.chat);
      if (!done) return talk.problem(say("p.not-sent"));
    } catch (error) {
      if (!(error instanceof Mistyped)) throw error;
      return talk.problem(mistyped(error));
    }
    if (!mayHoldSecret(line)) this.typed.push(line);
    this.recalled = this.typed.length;
    this.#put("");
  }

  /** Something was answered: the line that waits for the conversation it is for is done there, or stays if there is none. */
  answered() {
    const { from } = this;
    if (!from || isEntering(this.talk())) return;
    this.from = null;
    if (from !== this.talk().chat) this.submit();
  }

  /** Do what a line says; false if it could not be sent. LATER: it may be for the group that is about to open. */
  #act(line, talk) {
    const { chat, link, mirror } = talk;
    const here = chat.kind === "group" ? chat.name : null;
    const known = new Set([...mirror.groups.values()].map(({ name }) => name).concat([...mirror.users.values()]));
    const { command, action, fields, plain } = parse(line, here ?? NOWHERE, known);
    if (isEntering(talk) && (plain || command.name === "me" || command.current)) return LATER;
    if (plain) return this.#say(line);
    if (command.name === "me") return this.#say(`/me ${fields.text}`);
    if (here === null && command.current && fields.group === NOWHERE) throw new Mistyped("no-group");
    const own = { help: (about) => this.#help(about), use: (about) => this.#use(about), ...this.doing }[command.name];
    return own ? own(fields) : link.send(action, fields);
  }

  /** Say *msg* in the conversation that is open. */
  #say(msg) {
    const { link, chat } = this.talk();
    if (chat.kind === "group") return link.send("gbroadcast", { group: chat.name, msg });
    return chat.kind === "user" ? link.send("client-send", { to: chat.name, msg }) : link.send("client-broadcast", { msg });
  }

  #help({ command: name }) {
    const row = (each) => `${words(each.form)}\t${say(`help.${each.name}`)}`;
    const command = name && find(name);
    this.talk().note(command ? `${row(command)}\n${command.example}` : [...COMMANDS.map(row), say("p.keys")].join("\n"));
    return true;
  }

  #use({ group }) {
    const talk = this.talk();
    if (talk.mirror.view(group).isMember) talk.open(talk.group(group));
    else talk.problem(refusal({ code: "not-member", group }, null, ""));
    return true;
  }

  #put(text) {
    this.input.value = text;
    this.changed();
  }

  #pressed({ key: pressed, shiftKey, altKey, isComposing }) {
    const { input, offered } = this;
    const isRecalling = !input.value || input.value === this.typed[this.recalled];
    if (isComposing || altKey) return false;
    if (pressed === "Enter" && !shiftKey) this.chosen >= 0 ? this.#take(this.chosen) : this.submit();
    else if (pressed === "Tab" && !shiftKey && offered.length) this.#take(Math.max(this.chosen, 0));
    else if (pressed === "Escape" && offered.length) this.#offer([]);
    else if (pressed === "ArrowUp" && isRecalling && this.recalled > 0) this.#recall(-1);
    else if (pressed === "ArrowDown" && isRecalling && input.value) this.#recall(1);
    else if (pressed === "ArrowUp" && offered.length) this.#choose(this.chosen <= 0 ? offered.length - 1 : this.chosen - 1);
    else if (pressed === "ArrowDown" && offered.length) this.#choose((this.chosen + 1) % offered.length);
    else return false;
    return true;
  }

  #recall(step) {
    this.recalled += step;
    this.#put(this.typed[this.recalled] ?? "");
    this.#offer([]);
  }

  #offer(offered) {
    Object.assign(this, { offered, chosen: -1 });
    this.box.replaceChildren(...offered.map(({ text, form, about }, at) =>
      make("li", { id: `option-${at}`, role: "option", ariaSelected: "false", onclick: () => this.#take(at) },
        make("code", {}, form ?? text), about ? make("small", {}, about) : null)));
    this.box.hidden = !offered.length;
    this.input.removeAttribute("aria-activedescendant");
  }

  #choose(at) {
    this.chosen = at;
    [...this.box.children].forEach((it, each) => (it.ariaSelected = String(each === at)));
    this.box.children[at].scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", `option-${at}`);
  }

  #take(at) {
    this.#put(this.offered[at].text);
    this.input.focus();
  }
}

/** Tell whether one is on the way into a group. */
function isEntering({ mirror }) {
  return [...mirror.pending.values()].some(({ request }) => ["cgroupe", "join"].includes(request.action));
}
