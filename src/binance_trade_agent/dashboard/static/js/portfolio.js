// The portfolio page: its chart, drawn once and kept up to date over the tab's WebSocket.
import { watch } from "./live.js";
import { EquityChart } from "./equity-chart.js";

const AGAIN_MS = 2_000;

const place = document.getElementById("equity-chart"), empty = document.getElementById("equity-empty");
const box = document.getElementById("equity-legend"), note = document.getElementById("equity-note"), saidFirst = note.textContent;
const { span, epoch, everyEpoch } = place.dataset;
const query = `?${new URLSearchParams(Object.entries({ span, epoch, every_epoch: everyEpoch }).filter(([, value]) => value))}`;
let chart = null, isAsking = false, askedAt = -AGAIN_MS, asset = "";

const pick = document.getElementById("epoch-pick");
if (pick) {
  pick.querySelector("button").hidden = true;
  pick.addEventListener("change", () => pick.requestSubmit());
}

const holdShown = document.getElementById("hold-shown");
holdShown.addEventListener("change", () => chart?.showHold(holdShown.checked));

async function load() {
  if (isAsking) return;
  isAsking = true;
  askedAt = performance.now();
  try {
    const answer = await fetch(`/portfolio/chart${query}`, { headers: { accept: "application/json" } });
    const data = await answer.json();
    if (answer.ok) show(data);
    else say(data.detail ?? "The curve could not be read.");
  } catch {
    say("The dashboard does not answer.");
  } finally {
    isAsking = false;
  }
}

function show(data) {
  if (!data.epochs.length) return say(data.trouble);
  asset = data.asset;
  empty.hidden = true;
  place.hidden = false;
  document.getElementById("equity-asset").textContent = asset;
  chart ??= new EquityChart(place, legend);
  chart.draw(data);
  holdShown.checked = chart.showsHold;
  tell(data);
  if (!place.dataset.drawn) {
    place.dataset.drawn = "true";
    performance.mark("chart-drawn");
  }
}

function say(text) {
  if (chart) return;
  empty.hidden = false;
  empty.textContent = text;
}

// What a person should know of the lines.
function tell(data) {
  const last = data.epochs.at(-1), words = [saidFirst];
  if (last?.stretch > 1) words.push(`Of ${last.of.toLocaleString("en")} points, the lowest and the highest of each ${last.stretch.toLocaleString("en")} are drawn.`);
  const held = last?.hold_of ?? [];
  document.getElementById("hold-choice").hidden = !held.length;
  if (held.length) words.push(`Buy and hold: the first equity in equal parts of ${held.join(", ")}, at bids that the bot has seen, without fees.`);
  if (!data.is_read) words.push("The curve is still being read.");
  if (data.left_out.length) words.push(`Epoch ${data.left_out.join(", ")} is left out: its market began at an earlier time again.`);
  const text = words.join(" ");
  if (note.textContent !== text) note.textContent = text;
}

watch(`/portfolio/chart/tail${query}`, "ledger", (tail) => {
  if (!tail.epochs.length) return say(tail.trouble);
  if (chart?.update(tail)) return tell(tail);
  setTimeout(load, Math.max(0, askedAt + AGAIN_MS - performance.now()));
});
load();

function legend({ equity, drawdown, hold, mark, when }) {
  box.hidden = false;
  const money = (value) => `${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 8 })} ${asset}`;
  box.replaceChildren(
    text(when), pair("Equity", money(equity), "--gain"), ...(hold === null ? [] : [pair("Hold", money(hold), "--muted", "dashed")]), pair("Drawdown", `${drawdown.toFixed(2).replace("-", "−")} %`, "--loss"),
    ...(mark ? [text(mark)] : []),
  );
}

function text(words) {
  const made = document.createElement("span");
  made.textContent = words;
  return made;
}

function pair(name, value, shade, style = "") {
  const made = text(`${name} `), bold = document.createElement("b"), key = document.createElement("i");
  bold.textContent = value;
  key.className = `key ${style}`;
  key.style.color = `var(${shade})`;
  made.prepend(key);
  made.append(bold);
  return made;
}
