// What may come next in the line that is typed, from the table of commands and what is known of the server.

import { COMMANDS, key, place } from "./protocol.js";
import { make, say, words } from "./text.js";

const MOST = 8;

export function suggest(box, input, mirror, chat, changed) {
  const line = input.value;
  const found = mirror && line && input.selectionEnd === line.length ? options(line, mirror, chat).slice(0, MOST) : [];
  box.replaceChildren(...found.map(([text, about]) => {
    const onclick = () => {
      input.value = text;
      input.focus();
      changed();
    };
    return make("button", { type: "button", tabIndex: -1, onclick, title: about }, about ? `${about}` : text);
  }));
  box.hidden = !found.length;
}

function options(line, mirror, chat) {
  const { command, field, fragment, before, isSlash } = place(line);
  const begins = (name) => key(name).startsWith(key(fragment));
  if (!command) {
    if (/\s/.test(line) || (!isSlash && line.length < 2 && line !== "k")) return [];
    const start = line.replace(/^\//, "").toLowerCase();
    const rows = COMMANDS.filter(({ name, also }) => [name, ...also].some((each) => each.startsWith(start)));
    return rows.map(({ name, form, fields }) => [isSlash ? `/${name}${fields.length ? " " : ""}` : `${name};`, `${words(form)} — ${say(`help.${name}`)}`]);
  }
  if (!field) return [];
  const group = mirror.groups.get(before[0]?.trim() ? key(before[0]) : key(chat.name))?.group;
  const names = values(field[2], command, mirror, group).filter((name) => begins(name) && name !== fragment && !name.includes(";"));
  const next = command.fields[before.length + 1];
  const separator = next && !next[3] ? (isSlash ? " " : ";") : "";
  const head = line.slice(0, line.length - fragment.length);
  return names.sort().map((name) => [head + name + separator, name]);
}

function values(kind, { name }, mirror, group) {
  if (kind === "group") {
    const mine = [...mirror.groups.values()].filter((view) => view.isMember).map((view) => view.name);
    if (name !== "j") return mine;
    const invited = [...mirror.groups.values()].filter((view) => view.isInvited).map((view) => view.name);
    return [...new Set([...mirror.listed.values(), ...invited])].filter((each) => !mine.includes(each));
  }
  if (kind === "user") {
    if (name === "unban") return [...(group?.banned.values() ?? [])];
    const known = name === "s" || name === "invite" || !group ? mirror.users : group.members;
    return [...known.values()].filter((each) => !mirror.isMe(each) && !(name === "invite" && group?.members.has(key(each))));
  }
  if (kind === "command") return COMMANDS.map((each) => each.name);
  return { switch: ["on", "off"], privacy: ["private"] }[kind] ?? [];
}
