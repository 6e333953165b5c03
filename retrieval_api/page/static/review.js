// Keys of the review screen. Without this script, the buttons and links of the form do the same.
"use strict";

const form = document.querySelector("form.review");
const documents = form ? [...form.querySelectorAll("li.hit")] : [];
let current = 0;

function focusDocument(index) {
  current = Math.min(Math.max(index, 0), documents.length - 1);
  documents[current].focus({ preventScroll: true });
  documents[current].scrollIntoView({ block: "nearest" });
}

function choose(scope, key) {
  const choice = scope.querySelector(`input[data-key="${CSS.escape(key)}"]`);
  if (choice) choice.checked = true;
}

const actions = {
  j: () => focusDocument(current + 1),
  k: () => focusDocument(current - 1),
  s: () => document.getElementById("skip")?.click(),
  Enter: () => form.querySelector("button[type=submit]").click(),
  "?": () => {
    const help = form.querySelector(".keys");
    help.open = !help.open;
    if (help.open) help.scrollIntoView({ block: "nearest" });
  },
};

function findAction(key) {
  if (/^[012-]$/.test(key)) return () => choose(documents[current], key);
  if (/^[aur]$/.test(key)) return () => choose(form.querySelector(".answer"), key);
  return actions[key];
}

if (form) {
  // A document that a person reaches by Tab or by a click is the one that the keys grade.
  documents.forEach((one, index) => one.addEventListener("focusin", () => { current = index; }));
  // A grade means that the person wants to add the query.
  form.addEventListener("change", (event) => {
    if (event.target.name.startsWith("grade-")) choose(form.querySelector(".answer"), "a");
  });
  form.addEventListener("submit", (event) => {
    const isAccepted = form.querySelector("input[data-key=a]").checked;
    if (!isAccepted || form.querySelector("input:is([data-key='1'], [data-key='2']):checked")) return;
    event.preventDefault();
    document.getElementById("fault-answer").textContent = form.dataset.fault;
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isControl = event.target.closest("select, input:not([type=radio])");
    const isActivated = event.key === "Enter" && event.target.closest("a, button, summary");
    const action = isControl || isActivated ? null : findAction(event.key);
    if (!action || (!documents.length && /^[jk012-]$/.test(event.key))) return;
    event.preventDefault();
    action();
  });
  if (documents.length) focusDocument(0);
}
