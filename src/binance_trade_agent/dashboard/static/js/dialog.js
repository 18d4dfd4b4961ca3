// Links with data-dialog open their page in the dialog; without scripts they are links.
export function dialogs() {
  const dialog = document.getElementById("dialog");
  if (!dialog) return;
  document.addEventListener("click", async (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      await open(dialog, opener.dataset.dialog);
    } else if (event.target.closest("[data-close]")) {
      dialog.close();
    } else if (event.target === dialog) {
      dialog.close();
    }
  });
}

async function open(dialog, address) {
  let answer;
  try {
    answer = await fetch(address, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
  } catch {
    location.assign(address);
    return;
  }
  if (answer.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    return;
  }
  dialog.innerHTML = await answer.text();
  dialog.showModal();
  window.htmx?.process(dialog);
  dialog.querySelector("input:not([type=hidden])")?.focus();
}
