// Comforts: "/" goes to the search box, and verdicts are sent without leaving the page.
// Without this script forms are posted and links followed as usual.
"use strict";

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea, [contenteditable]");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const box = document.getElementById("q");
  if (!box) return;
  event.preventDefault();
  box.focus();
  box.select();
});

// A browser leaves the caret before what was asked; people go on behind it.
const asked = document.querySelector("input[autofocus][type=search]");
if (asked) asked.setSelectionRange(asked.value.length, asked.value.length);

function say(action, fields) {
  return fetch(action, {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { accept: "application/json" },
    keepalive: true,
  });
}

for (const form of document.querySelectorAll("form.verdict")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter;
    const fields = new FormData(form);
    fields.set("kind", button.value);
    const said = form.querySelector(".said");
    let answer = null;
    try {
      answer = await say(form.action, fields);
    } catch {
      said.textContent = "Not recorded: the service does not answer.";
      return;
    }
    said.textContent = answer.ok ? "Recorded, thank you." : "Not recorded. Try again.";
    for (const one of form.querySelectorAll("button")) {
      one.setAttribute("aria-pressed", String(answer.ok && one === button));
    }
  });
}

// Opening a hit is a click in the sense of the records.
for (const link of document.querySelectorAll("a[data-entry]")) {
  link.addEventListener("click", () => {
    const form = link.closest("article").querySelector("form.verdict");
    if (!form) return;
    const fields = { request_id: link.dataset.request, entry_id: link.dataset.entry, kind: "click" };
    say(form.action, fields).catch(() => {});
  });
}

// A button that copies a listing; where the browser permits none, the listing can be selected.
for (const listing of document.querySelectorAll("pre[data-copy]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(listing.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it to copy";
    }
  });
  listing.before(button);
}
