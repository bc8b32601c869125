// The protocol for a client: names, requests, typed commands, and the mirror of what a server says.
// Nothing in here or below knows a page, a socket or the time; it runs in Node as well. See docs/page.md.

export const SUBPROTOCOL = "tchat.1";
export { checkGroup, checkName, checkUser, key, size } from "./names.js";
export { REQUESTS, fault, patience, read, request } from "./request.js";
export { isMeantToRegister, mayHoldSecret } from "./guess.js";
export { COMMANDS, Mistyped, find, parse, place, wrongIn } from "./command.js";
export { Mirror, evolve, isEvent, isKept } from "./mirror.js";
