// One's own password: a new one, typed twice, and what the server wants to know besides.

import { ask } from "./dialog.js";
import { refusal, say } from "./text.js";

const WANTED = { old: ["old", "p.old-password", "password"], invitation: ["invitation", "p.invitation", "text"] };
const NEW = [["password", "p.new-password", "password"], ["again", "p.again-password", "password"]];

/** Ask for a new password, and for the one there is if that is known to be needed. */
async function choose(talk) {
  const ok = say("p.protect");
  const found = await ask("register", ok, ok, talk.link.password ? [WANTED.old, ...NEW] : NEW);
  if (found && !register(talk, found)) talk.problem(say("p.not-sent"));
}

/** Give one's name a password, or another one; false if it cannot be sent. Without one the person is asked for it. */
export function register(talk, { again, ...fields }) {
  if (fields.password) return talk.ask("register", fields, (answer) => answered(talk, fields, answer), false);
  choose(talk);
  return true;
}

/** The server may want the password there is, or a code of the operator's: once asked for it, all is sent again. */
async function answered(talk, fields, answer) {
  const { name } = talk.mirror;
  const { action, field } = answer;
  if (action === "register") return talk.note(say("register", { name }));
  if (!WANTED[field] || field in fields) return talk.problem(`register: ${refusal(answer, { action: "register" }, name)}`);
  const found = await ask("register", say(`error.forbidden.register.${field}`, { name }), say("p.protect"), [WANTED[field]]);
  if (found && !register(talk, { ...fields, ...found })) talk.problem(say("p.not-sent"));
}
