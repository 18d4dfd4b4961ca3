// Execute trade: the button follows the live judgement, a change of symbol loads its market, parts fill the amount.
const form = document.getElementById("order");

function settle() {
  const judgement = document.getElementById("judgement");
  const button = document.getElementById("review"), reason = document.getElementById("why-not");
  if (!judgement || !button) return;
  const why = judgement.dataset.whyNot;
  button.disabled = Boolean(why);
  const text = why ? `Not yet: ${why}` : "Nothing is placed before you confirm it.";
  if (reason.textContent !== text) reason.textContent = text;
}

document.addEventListener("region:changed", settle);
document.addEventListener("htmx:after:swap", settle);
form.elements.symbol.addEventListener("change", () => form.submit());

const parts = form.querySelector(".parts");
parts.hidden = false;
parts.addEventListener("click", (event) => {
  const part = event.target.closest("[data-part]")?.dataset.part;
  if (!part) return;
  form.elements.unit.value = "percent";
  form.elements.amount.value = part;
  form.elements.amount.dispatchEvent(new Event("input", { bubbles: true }));
});
