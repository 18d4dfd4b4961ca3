// A choice that only shows something else is sent at once; without scripts there is a button.
for (const choice of document.querySelectorAll("[data-submits]")) {
  choice.addEventListener("change", () => choice.form.requestSubmit());
}
