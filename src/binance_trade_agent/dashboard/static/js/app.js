// Every page: live regions, times in the reader's zone, dialogs, and the page's token on what HTMX sends.
import { connect } from "./live.js";
import { localise } from "./times.js";
import { dialogs } from "./dialog.js";

localise(document);
dialogs();
connect();

// HTMX is loaded after this module is read and before it runs; its events bubble to the document.
document.addEventListener("htmx:config:request", (event) => {
  const request = event.detail.ctx?.request;
  if (request) request.headers["X-CSRF-Token"] = document.querySelector("meta[name=csrf-token]").content;
});
// What was sent and not answered may have been done: that is said where the answer would stand.
document.addEventListener("htmx:error", (event) => {
  const ctx = event.detail?.ctx;
  if (ctx?.request?.method?.toUpperCase() !== "POST" || !(ctx.target instanceof Element)) return;
  const said = document.createElement("p");
  said.className = "problem";
  said.setAttribute("role", "alert");
  said.textContent = "The dashboard did not answer: whether it was done is not known. Look at Advanced, Changes before you ask again.";
  ctx.target.replaceChildren(said);
});
document.addEventListener("htmx:after:swap", () => {
  localise(document);
  document.dispatchEvent(new CustomEvent("regions:changed"));
});
