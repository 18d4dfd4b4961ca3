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
document.addEventListener("htmx:after:swap", () => {
  localise(document);
  document.dispatchEvent(new CustomEvent("regions:changed"));
});
