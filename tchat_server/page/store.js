// What this browser keeps: for all tabs, or (isOfTab) for one until it is closed.

const memory = new Map(); // a browser may be told to keep nothing

const attempt = (act) => {
  try {
    return act();
  } catch {
    return null;
  }
};

export const store = {
  get: (name, isOfTab = false) => attempt(() => keeper(isOfTab).getItem(`tchat.${name}`)) ?? memory.get(name) ?? "",
  set(name, value, isOfTab = false) {
    memory.set(name, value);
    attempt(() => keeper(isOfTab).setItem(`tchat.${name}`, value));
  },
};

const keeper = (isOfTab) => (isOfTab ? sessionStorage : localStorage);
