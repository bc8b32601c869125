// What may come next in the line that is typed, from the table of commands and what is known of the server.

import { COMMANDS, key, place } from "./protocol.js";
import { say, words } from "./text.js";

/** Return how *line* may go on, best first: [{text: the whole line, form?, about?}]. */
export function options(line, { mirror, chat }) {
  const { command, field, fragment, before, isSlash } = place(line);
  if (!command) return /\s/.test(line) || line.startsWith("@") ? names(line, mirror, chat) : commands(line, isSlash);
  if (!field) return [];
  const group = mirror.groups.get(before[0]?.trim() ? key(before[0]) : key(chat.name))?.group;
  const found = values(field[2], command.name, mirror, group);
  const next = command.fields[before.length + 1];
  const separator = next && !next[3] ? (isSlash ? " " : ";") : "";
  const head = line.slice(0, line.length - fragment.length);
  return beginning(found, fragment).map((name) => ({ text: head + name + separator, form: name }));
}

const beginning = (names_, start) =>
  [...new Set(names_)].filter((name) => key(name).startsWith(key(start)) && name !== start && !name.includes(";")).sort();

function commands(line, isSlash) {
  if (!isSlash && line.length < 2) return [];
  const start = line.replace(/^\//, "").toLowerCase();
  const rows = COMMANDS.filter(({ name, also }) => [name, ...also].some((each) => each.startsWith(start)));
  rows.sort((a, b) => b.name.startsWith(start) - a.name.startsWith(start));
  return rows.map(({ name, form, fields }) => ({
    text: isSlash ? `/${name}${fields.length ? " " : ""}` : `${name};`,
    form: isSlash ? `/${words(form).replaceAll(";", " ").trim()}` : words(form),
    about: say(`help.${name}`),
  }));
}

/** Whom `@…` at the end of a text may name. */
function names(line, mirror, chat) {
  const at = /(?:^|\s)@(\S*)$/.exec(line);
  if (!at) return [];
  const known = mirror.groups.get(key(chat.name))?.group?.members ?? mirror.users;
  const head = line.slice(0, line.length - at[1].length);
  const others = [...known.values()].filter((name) => !mirror.isMe(name));
  return beginning(others, at[1]).map((name) => ({ text: `${head}${name} `, form: `@${name}` }));
}

function values(kind, command, mirror, group) {
  const views = [...mirror.groups.values()];
  const mine = views.filter((view) => view.isMember).map((view) => view.name);
  if (kind === "group" && command !== "j") return mine;
  if (kind === "group") {
    const invited = views.filter((view) => view.isInvited).map((view) => view.name);
    return [...mirror.listed.values(), ...invited].filter((name) => !mine.includes(name));
  }
  if (kind === "user" && command === "unban") return [...(group?.banned.values() ?? [])];
  if (kind === "user") {
    const known = ["s", "invite"].includes(command) || !group ? mirror.users : group.members;
    const isIn = (name) => command === "invite" && group?.members.has(key(name));
    return [...known.values()].filter((name) => !mirror.isMe(name) && !isIn(name));
  }
  if (kind === "name") return [...mine, ...mirror.users.values(), ...[...mirror.users.values()].map((name) => `@${name}`)];
  if (kind === "command") return COMMANDS.map(({ name }) => name);
  return { switch: ["on", "off"], privacy: ["private"] }[kind] ?? [];
}
