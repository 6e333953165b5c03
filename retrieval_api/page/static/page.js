// The key "/" goes to the search field, and feedback is sent without leaving the page.
// Without this script, forms and links work as usual.
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

// Browsers place the caret before the text of an autofocused field. Move it to the end.
const field = document.querySelector("input[autofocus][type=search]");
if (field) field.setSelectionRange(field.value.length, field.value.length);

function sendFeedback(action, fields) {
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
    const status = form.querySelector(".status");
    let answer = null;
    try {
      answer = await sendFeedback(form.action, fields);
    } catch {
      status.textContent = "Not recorded: the service does not answer.";
      return;
    }
    status.textContent = answer.ok ? "Recorded." : "Not recorded. Try again later.";
    for (const one of form.querySelectorAll("button")) {
      one.setAttribute("aria-pressed", String(answer.ok && one === button));
    }
  });
}

// Opening a hit is recorded as a click.
for (const link of document.querySelectorAll("a[data-entry]")) {
  link.addEventListener("click", () => {
    const form = link.closest("article").querySelector("form.verdict");
    if (!form) return;
    const fields = { request_id: link.dataset.request, entry_id: link.dataset.entry, kind: "click" };
    sendFeedback(form.action, fields).catch(() => {});
  });
}

// A button that copies a code sample. If the browser does not permit it, the text can be selected.
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
      button.textContent = "Select the text to copy it";
    }
  });
  listing.before(button);
}
