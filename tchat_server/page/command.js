// The typed commands: the table of `tchat`, and its parser.

import { ELSEWHERE, NO_WORDS, isMeantToRegister, nearest } from "./guess.js";
import { checkGroup, checkUser, isGuest, size } from "./names.js";
import { isText } from "./request.js";
import { COMMANDS as ROWS, LIMITS } from "./words.js";

/** The commands, each {name, also, action, fields, example, takes, form, current}; a field is [name, word, kind, optional]. */
export const COMMANDS = ROWS.map(({ also = [], action = "", names, ...row }) => {
  const fields = row.fields.map((field) => [...field.replace("?", "").split(":"), field.endsWith("?")]);
  const current = !names;
  const takes = fields.reduce((text, [, word, kind, optional]) => {
    const separator = text && ";";
    if (optional) return `${text}[${separator}${word}]`;
    return text + separator + (kind === "group" && current ? `[${word}]` : word);
  }, "");
  return { ...row, also, action, fields, current, takes, form: `${row.name};${takes}` };
});
const byName = new Map(COMMANDS.flatMap((command) => [command.name, ...command.also].map((name) => [name, command])));
const SLASH = /^\/([^\s;]*)(;|\s+|$)([^]*)/;
const SEMICOLON = /^\s*([\p{L}\p{N}_-]+)\s*(;)([^]*)/u;
const clip = (text) => (text.length <= 80 ? text : text.slice(0, 79) + "…");

/** What was typed is no command: `problem` and `values` make the sentence `problem.…` of WORDS. */
export class Mistyped extends Error {
  constructor(problem, values = {}) {
    super(problem);
    this.problem = problem;
    this.values = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, clip(String(value))]));
  }
}

/** Return the command typed as *name*, undefined if there is none. */
export const find = (name) => byName.get(name.replace(/^\//, "").toLowerCase());

/** Return what *line* means as {command, action, fields}; `action` is "" for what concerns the client itself.
 *  *known*: a set of names of groups and users, to tell `s bob hi` from a sentence. */
export function parse(line, group, known = new Set()) {
  const typed = SLASH.exec(line) ?? SEMICOLON.exec(line);
  if (!typed) return plain(line, group, known);
  const [, word, separator, rest] = typed;
  const command = find(word);
  if (!command) throw unknown(word, line);
  const words = cut(command, rest, separator !== ";");
  if (words.length > command.fields.length) throw wrongFields(command);
  const fields = {};
  command.fields.forEach(([name, , kind, optional], at) => {
    const text = words[at] ?? "";
    if (text.trim() || (text && kind === "text")) {
      fields[name] = FIELDS[kind](command, command.fields[at], text);
    } else if (kind === "group" && command.current) {
      if (group === null) throw new Mistyped("no-group");
      fields[name] = group;
    } else if (!optional) throw wrongFields(command);
  });
  return { command, action: command.action, fields };
}

function plain(line, group, known) {
  const text = line.trim();
  if (!text) throw new Mistyped("empty");
  refuseSpaced(text, group, known);
  const isWord = text.length >= 5 && text.length <= 12;
  const bare = find(text) ?? (isWord ? byName.get(nearest(text, byName.keys(), 0.8)) : undefined);
  if (bare) throw new Mistyped("bare", { form: bare.form, word: text });
  if (group === null) throw new Mistyped("no-group");
  const command = find("bg");
  return { command, action: command.action, fields: { group, msg: FIELDS.text(command, command.fields[1], line) }, plain: true };
}

/** Throw if *text* is a command typed with spaces, which must not go to a group: `kick wob bob spam`. */
function refuseSpaced(text, group, known) {
  const typed = /^(\S+)\s+([^]*)$/.exec(text);
  if (!typed) return;
  if (isMeantToRegister(text)) throw new Mistyped("register");
  const [, word, rest] = typed;
  const command = find(word);
  if (!command || word.startsWith("/") || !command.fields.length || ["me", "more", "search"].includes(command.name)) return;
  if (text.toLowerCase() === "help me") return; // a command with its field, and yet it is said
  const words = cut(command, rest, true);
  const last = command.fields.at(-1)[2];
  if (last === "text" && words.length < command.fields.length) return;
  const isSentence = ["text", "reason"].includes(last) && words.at(-1).includes(" ");
  const isNamed = words.some((each) => each === group || known.has(each));
  if ((isSentence || command.name === "s") && !NO_WORDS.includes(word.toLowerCase()) && !isNamed) return;
  if (!words.every((value, at) => !value || !wrongIn(command, command.fields[at], value))) return;
  throw new Mistyped("spaced", { typed: [command.name, ...words].join(";"), line: text });
}

/** Return what is wrong with *text* in a field of a command, a Mistyped, or null. */
export function wrongIn(command, field, text) {
  try {
    if (field) FIELDS[field[2]](command, field, text);
    return null;
  } catch (problem) {
    return problem;
  }
}

function unknown(word, line) {
  if (isMeantToRegister(word)) return new Mistyped("register");
  const ours = ELSEWHERE[word.toLowerCase()];
  if (ours === null) return new Mistyped("no-irc", { word });
  if (ours !== undefined) return new Mistyped("irc", { word, form: byName.get(ours).form });
  const near = byName.get(nearest(word, byName.keys()));
  return near ? new Mistyped("near", { word, suggestion: near.form }) : new Mistyped("unknown", { word, line });
}

function wrongFields(command) {
  const { name, takes, example } = command;
  return new Mistyped(command.fields.length ? "fields" : "no-fields", { name, takes, example });
}

function cut(command, rest, isSlash) {
  const cuts = command.fields.length - 1;
  if (cuts < 0) return rest.trim() ? [rest] : [];
  const words = split(rest, isSlash, cuts);
  if (!isSlash) return words;
  const required = command.fields.filter(([, , , optional]) => !optional).length;
  const isShort = words.length === required - 1 && command.current && command.fields[0][2] === "group";
  return isShort ? ["", ...split(rest, true, Math.max(cuts - 1, 0))] : words;
}

/** As `text.split(";", cuts)` in Python, or `text.split(None, cuts)`. */
function split(text, isSlash, cuts) {
  const first = isSlash ? /^\s*(\S+)\s*([^]*)/ : /^([^;]*);([^]*)/;
  const words = [];
  for (let found; words.length < cuts && (found = first.exec(text)); [, , text] = found) words.push(found[1]);
  if (isSlash) text = text.trimStart();
  return isSlash && !text ? words : [...words, text];
}

function checkText(command, [, word, kind], text) {
  if (!isText(text)) throw new Mistyped("text", { word });
  const limit = kind === "reason" ? LIMITS.max_reason_bytes : LIMITS.max_msg_bytes;
  if (size(text) > limit) throw new Mistyped("too-large", { word, size: size(text), limit });
  return text;
}

function checkNumber(command, [, , kind], text) {
  const most = kind === "count" ? LIMITS.max_page_entries : LIMITS.max_integer;
  const value = text.trim();
  if (!/^\d{1,19}$/.test(value) || Number(value) < 1 || Number(value) > most) {
    throw new Mistyped("number", { value, limit: most, form: command.form });
  }
  return Number(value);
}

const checkNamed = (check, limit) => (command, [, word], text) => {
  const name = check(text);
  if (name === null) throw new Mistyped("name", { value: text, word, limit });
  return name;
};
const checkChoice = (choices) => (command, field, text) => {
  const chosen = choices[text.trim().toLowerCase()];
  if (chosen === undefined) throw new Mistyped("choice", { value: text, form: command.form });
  return chosen;
};
const groupNamed = checkNamed(checkGroup, LIMITS.max_group_chars);
const userNamed = checkNamed((text) => (isGuest(text) ? text.trim() : checkUser(text)), LIMITS.max_name_chars);
const PAGES = ["messages", "states"];
const FIELDS = {
  group(command, field, text) {
    const isTexts = (field[2] === "name" || PAGES.includes(command.name)) && text.trim().startsWith("@");
    return isTexts ? `@${userNamed(command, ["group", "user"], text.trim().slice(1))}` : groupNamed(command, field, text);
  },
  user: userNamed,
  name: (...typed) => (isGuest(typed[2]) ? userNamed : FIELDS.group)(...typed),
  text: checkText,
  reason: checkText,
  password: checkText,
  number: checkNumber,
  count: checkNumber,
  privacy: checkChoice({ private: true, public: false }),
  switch: checkChoice({ on: true, off: false }),
  command(command, field, text) {
    const found = find(text.trim().replace(/;+$/, ""));
    if (!found) throw unknown(text.trim(), text);
    return found.name;
  },
  json(command, field, text) {
    let found = null;
    try {
      found = JSON.parse(text);
    } catch {}
    if (found === null || typeof found !== "object" || Array.isArray(found)) {
      throw new Mistyped("json", { example: command.example });
    }
    return text.trim();
  },
};

/** Return where the end of *line* is: {command, field, fragment, before}; command is null while it is typed itself. */
export function place(line) {
  const typed = SLASH.exec(line) ?? SEMICOLON.exec(line);
  const command = typed && !(line.startsWith("/") && !typed[2]) ? find(typed[1]) : undefined;
  if (!command) return { command: null, field: null, fragment: line, before: [], isSlash: line.startsWith("/") };
  const count = command.fields.length;
  const isSlash = typed[2] !== ";";
  const words = split(typed[3], isSlash, Math.max(count - 1, 0));
  if (isSlash && (!words.length || (/\s$/.test(typed[3]) && words.length < count))) words.push("");
  const field = words.length <= count ? command.fields[words.length - 1] ?? null : null;
  return { command, field, fragment: words.at(-1).trimStart(), before: words.slice(0, -1), isSlash };
}
