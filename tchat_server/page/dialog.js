// A few questions to the person, one after another in one box.

import { make, say } from "./text.js";

const $ = (id) => document.getElementById(id);

$("dialog-cancel").onclick = () => $("dialog").close("");

/** Ask for values: [name, word, type, isOptional?] each; null if the person cancels. */
export function ask(title, ok, fields) {
  $("dialog-title").textContent = title;
  $("dialog-ok").textContent = ok;
  $("dialog-fields").replaceChildren(...fields.map(([name, word, type, isOptional = false]) => {
    const required = !isOptional && type !== "checkbox";
    const input = make("input", { name, type, required, autocomplete: type === "password" ? "new-password" : "off" });
    return make("label", {}, ...(type === "checkbox" ? [input, say(word)] : [say(word), input]));
  }));
  $("dialog").returnValue = "";
  $("dialog").showModal();
  return new Promise((done) => {
    $("dialog").onclose = () => {
      const inputs = [...$("dialog-fields").querySelectorAll("input")];
      const found = inputs.map((it) => [it.name, it.type === "checkbox" ? it.checked : it.value]);
      done($("dialog").returnValue ? Object.fromEntries(found) : null);
    };
  });
}
