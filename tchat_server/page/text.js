// Words and how things look as text. What came from the network becomes text nodes here, and nothing else.

import { key } from "./protocol.js";
import { LANGUAGES } from "./words.js";

const LINK = /https?:\/\/(?:[^\s<>"`()]|\([^\s<>"`()]*\))*(?:[^\s<>"'`().,;:!?\]}]|\([^\s<>"`()]*\))/gi;
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
const AGAIN_MS = 1000;
let { LANGUAGE, WORDS } = { LANGUAGE: LANGUAGES[0], WORDS: {} };

export const language = () => LANGUAGE;

/** The language as this person's region writes days and times. */
export const locale = () => navigator.languages.find((each) => each.startsWith(LANGUAGE)) ?? LANGUAGE;

/** Speak another language, as soon as its sentences are there; without a server it stays the one it is. */
export async function choose(code) {
  try {
    ({ LANGUAGE, WORDS } = await import(`./words.${LANGUAGES.includes(code) ? code : LANGUAGES[0]}.js`));
  } catch {
    if (!WORDS.online) return void setTimeout(choose, AGAIN_MS, code);
  }
  document.documentElement.lang = LANGUAGE;
  for (const it of document.querySelectorAll("select.language")) it.value = LANGUAGE;
  for (const it of document.querySelectorAll("[data-w]")) it.textContent = say(it.dataset.w);
  for (const it of document.querySelectorAll("[data-l]")) it.ariaLabel = it.title = say(it.dataset.l);
}

/** The sentence *name* with *values* in it. */
export function say(name, values = {}) {
  const sentence = (values.count === 1 && WORDS[`${name}.one`]) || (WORDS[name] ?? name);
  return sentence.replace(/\{(\w+)\}/g, (whole, word) => clean(String(values[word] ?? "?")));
}

/** Have *it* say *word*, and still in the language chosen next. */
export function tell(it, word) {
  it.dataset.w = word;
  it.textContent = say(word);
  return it;
}

/** Text without control characters that change how other text looks; line ends stay. */
export const clean = (text) => text.replace(/\r\n?|[\u2028\u2029]/g, "\n").replace(UNSAFE, "\ufffd");

/** Make an element. *children* are elements or texts; *about* sets properties and dataset. */
export function make(tag, about = {}, ...children) {
  const it = Object.assign(document.createElement(tag), about);
  it.append(...children.filter((child) => child !== null));
  return it;
}

/** A text from somebody as nodes: links can be clicked, the rest is text. */
export function spoken(text) {
  const found = document.createDocumentFragment();
  const shown = clean(text);
  let from = 0;
  for (const { 0: url, index } of shown.matchAll(LINK)) {
    if (!URL.canParse(url)) continue;
    found.append(shown.slice(from, index), make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, url));
    from = index + url.length;
  }
  found.append(shown.slice(from));
  return found;
}

const HUES = 24;

/** What gives an element the colour of a name. */
function own(name, className = "") {
  let hash = 0;
  for (const char of key(name)) hash = (hash * 31 + char.codePointAt(0)) % 9973;
  return { className: `own ${className}`, style: `--hue: ${((hash % HUES) * 360) / HUES + 20}` };
}

/** A name in its colour: the same everywhere, and never the only sign. */
export const nick = (name) => make("b", own(name), clean(name));

/** The first letter of a name in a circle of its colour, for the eye only. */
export const face = (name) =>
  make("span", { ...own(name, "face"), ariaHidden: "true" }, (/[\p{L}\p{N}]/u.exec(name)?.[0] ?? "?").toUpperCase());

export const mentions = (text, me) =>
  me !== "" && new RegExp(`(?<![\\p{L}\\p{N}_])${me.replaceAll(".", "\\.")}(?![\\p{L}\\p{N}_])`, "iu").test(text);

/** Say what an event is, to *mirror*'s user. */
export function told(event, mirror) {
  const { action, sender, dest, group, reason, owner, author } = event;
  if (action === "server-received") return say(event.removed ? "removed.user" : action, { sender });
  if (action === "gbroadcast") return say("redacted", { sender });
  if (action === "close" || action === "redact") return say(event.undone ? "close.undone" : action, { group, author });
  const variant = mirror.isMe(sender) ? ".you" : mirror.isMe(dest) ? ".me" : "";
  let text = say(action + variant, { sender, dest, group });
  if (reason) text += `: ${clean(reason)}`;
  if (owner && action !== "cgroupe") text += `; ${say(mirror.isMe(owner) ? "owner.you" : "owner", { owner })}`;
  return text;
}

/** Say why a request was refused. */
export function refusal(error, asked, me) {
  const values = { name: me, group: asked?.group, dest: asked?.dest ?? asked?.to, ...error };
  const variants = asked && asked.action !== "client-hello" ? [`.${asked.action}.${error.field}`, `.${asked.action}`, ".asked", ""] : [""];
  const name = variants.map((variant) => `error.${error.code}${variant}`).find((each) => WORDS[each]);
  const isWhole = name && [...WORDS[name].matchAll(/\{(\w+)\}/g)].every(([, word]) => values[word] !== undefined);
  return `${isWhole ? say(name, values) : clean(error.msg ?? "")} (${clean(error.code)})`;
}

/** A form of a command in one's language. */
export const words = (form) => form.replace(/[^[\];]+/g, (word) => WORDS[`word.${word}`] ?? word);

export function mistyped({ problem, values }) {
  const shown = Object.entries(values).map(([name, value]) =>
    [name, ["takes", "form", "suggestion", "word"].includes(name) ? words(value) : value]);
  return say(`problem.${problem}`, Object.fromEntries(shown));
}
