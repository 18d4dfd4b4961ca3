// A choice that only shows something else is sent at once; without scripts there is a button.
for (const choice of document.querySelectorAll("[data-submits]")) {
  choice.addEventListener("change", () => choice.form.requestSubmit());
}
// On a phone the sections scroll sideways: the one that is shown comes into view.
document.querySelector(".sections [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
