// Runs the page's brain for the tests: one JSON question a line on standard input, one answer a line on standard output.

import { createInterface } from "node:readline";
import { COMMANDS, Mirror, Mistyped, checkGroup, checkUser, fault, key, mayHoldSecret, parse, patience, place, read, request } from "../../tchat_server/page/protocol.js";

const plain = (map) => [...map];

const ASKED = {
  forms: () => COMMANDS.map(({ name, form, takes }) => [name, form, takes]),
  parse({ line, group, known }) {
    try {
      const { command, action, fields } = parse(line, group, new Set(known));
      return { command: command.name, action, fields };
    } catch (error) {
      if (!(error instanceof Mistyped)) throw error;
      return { problem: error.problem, values: error.values };
    }
  },
  place({ line }) {
    const { command, field, fragment, before } = place(line);
    return { command: command?.name ?? null, field: field?.[0] ?? null, fragment, before };
  },
  fault: ({ message }) => fault(message),
  request: ({ action, fields, name }) => request(action, fields, name),
  names: ({ names }) => names.map((name) => [key(name), checkUser(name), checkGroup(name)]),
  secrets: ({ lines }) => lines.map(mayHoldSecret),
  patience: ({ asked }) => asked.map(patience),
  read: ({ text }) => read(text),
  members({ welcome, pages }) {
    const mirror = new Mirror("me");
    mirror.apply(welcome);
    const asked = [];
    for (const page of pages) {
      const wanted = mirror.wanted().find(({ action }) => action === "members");
      if (!wanted) break;
      asked.push(wanted.after ?? null);
      mirror.sent({ ...wanted, id: page.id }, true);
      mirror.apply(page);
    }
    return asked;
  },
  mirror({ name, steps }) {
    const mirror = new Mirror(name);
    for (const { sent, quiet, lost, text } of steps) {
      if (lost) mirror.disconnected();
      else if (sent) mirror.sent(sent, quiet);
      else mirror.apply(read(text));
    }
    const groups = [...mirror.groups].map(([key, view]) => {
      const { seq, target, isMember, isInvited, group } = view;
      const members = group && [group.owner, plain(group.members), [...group.invited.keys()], plain(group.banned)];
      return [key, view.name, seq, target, isMember, isInvited, members];
    });
    return { name: mirror.name, groups: groups.sort(), users: plain(mirror.users).sort(), online: [...mirror.online].sort() };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { ask, ...about } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(ASKED[ask](about))}\n`);
}
