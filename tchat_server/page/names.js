// Names (R-name-key, R-name-rule), and the size of a text.

import { LIMITS } from "./words.js";

const keys = new Map();

/** The key under which two names are the same. */
export function key(name) {
  let folded = keys.get(name);
  if (folded === undefined) {
    folded = name.trim();
    for (let again; folded.length <= 256; folded = again) {
      again = folded.normalize("NFKC").toLowerCase().normalize("NFKC");
      if (again === folded) break;
    }
    if (keys.size > 5000) keys.clear();
    keys.set(name, folded);
  }
  return folded;
}

/** The name as it is shown, or null if it can be none. */
export function checkName(name, most) {
  const shown = name.trim().normalize("NFC");
  const rule = new RegExp(`^(?:(?!\\p{DI})[\\p{L}\\p{M}\\p{Nd}_.-]){1,${most}}$`, "u");
  return rule.test(shown) && rule.test(key(shown)) ? shown : null;
}

/** Whether only the server gives this name (R-name-reserved). */
export const isGuest = (name) => /^guest-\p{Nd}+$/u.test(key(name));

export const checkUser = (name) => {
  const shown = checkName(name, LIMITS.max_name_chars);
  return shown === null || key(shown) === "server" || isGuest(shown) ? null : shown;
};
export const checkGroup = (name) => checkName(name, LIMITS.max_group_chars);

const encoder = new TextEncoder();
/** The size of a text in UTF-8, in bytes. */
export const size = (text) => encoder.encode(text).length;
