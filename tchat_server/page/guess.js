// What a person meant by a word that is no command: other chats' words, slips, a password about to leak.

import { GUESS } from "./words.js";

export const { elsewhere: ELSEWHERE, noWords: NO_WORDS } = GUESS;
const MOST = 3;

/** Whether *line* begins with `register`, or nearly so: what follows may be a password. */
export function isMeantToRegister(line) {
  const word = /^\s*\/?([^\s;:,=]*)/.exec(line)[1].toLowerCase();
  return word === "register" || (!GUESS.sentences.includes(word) && close(word, ["register"], 0.8).length > 0);
}

/** Whether *line* may hold a password, typed rightly or wrongly: it is then kept nowhere. */
export const mayHoldSecret = (line) => isMeantToRegister(line) || /passw|token/i.test(line);

/** Which of *names* is most like *word*, undefined if none is; one that does harm only if it is very like it. */
export function nearest(word, names, cutoff = 0.6) {
  word = word.toLowerCase();
  return close(word, names, cutoff).find((name) => !GUESS.drastic.includes(name) || close(word, [name], 0.86).length);
}

/** The *names* most like *word*, best first (Ratcliff and Obershelp). */
function close(word, names, cutoff) {
  const rated = [...names].map((name) => [(2 * matching(name, word)) / (name.length + word.length), name]);
  const found = rated.filter(([ratio]) => ratio >= cutoff);
  return found.sort(([a, one], [b, other]) => b - a || (one < other ? 1 : -1)).slice(0, MOST).map(([, name]) => name);
}

function matching(a, b) {
  let [length, inA, inB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < b.length; j++) {
      let n = 0;
      while (i + n < a.length && j + n < b.length && a[i + n] === b[j + n]) n++;
      if (n > length) [length, inA, inB] = [n, i, j];
    }
  }
  if (!length) return 0;
  const after = matching(a.slice(inA + length), b.slice(inB + length));
  return length + matching(a.slice(0, inA), b.slice(0, inB)) + after;
}
