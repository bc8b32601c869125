// A few questions to the person in one box.

import { COMMANDS, wrongIn } from "./protocol.js";
import { make, mistyped, say } from "./text.js";

const $ = (id) => document.getElementById(id);

const PASSWORDS = { old: "current-password", password: "new-password", again: "new-password" };

$("dialog-cancel").onclick = () => $("dialog").close("");
$("dialog-fields").oninput = () => {
  const { password, again } = $("dialog").querySelector("form").elements;
  again?.setCustomValidity(again.value === password.value ? "" : say("p.differ"));
};

/** Ask for *fields* of the request *action*, [name, word, type, proposals?] each; null if the person cancels. */
export function ask(action, title, ok, fields) {
  $("dialog-title").textContent = title;
  $("dialog-ok").textContent = ok;
  $("dialog-fields").replaceChildren(...fields.map((field) => label(action, ...field)));
  $("dialog").returnValue = "";
  $("dialog").showModal();
  return new Promise((done) => {
    $("dialog").onclose = () => {
      const found = [...$("dialog-fields").querySelectorAll("input")].map((it) => [it.name, it.type === "checkbox" ? it.checked : it.value]);
      done($("dialog").returnValue ? Object.fromEntries(found) : null);
    };
  });
}

/** A field with its name; the browser does not let go what the command would refuse. */
function label(action, name, word, type, proposals = []) {
  if (type === "checkbox") return make("label", {}, make("input", { name, type }), say(word));
  const command = COMMANDS.find((each) => each.action === action);
  const field = command.fields.find(([each]) => each === name);
  const input = make("input", { name, type, required: name !== "reason", autocomplete: PASSWORDS[name] ?? "off" });
  input.oninput = () => {
    const problem = input.value && wrongIn(command, field, input.value);
    input.setCustomValidity(problem ? mistyped(problem) : "");
  };
  input.setAttribute("list", "proposals");
  return make("label", {}, say(word), input, make("datalist", { id: "proposals" }, ...proposals.map((value) => make("option", { value }))));
}
