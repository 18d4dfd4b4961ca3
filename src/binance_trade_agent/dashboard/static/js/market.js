// The market page: its chart, drawn once and kept up to date over the tab's WebSocket.
import { watch } from "./live.js";
import { MarketChart } from "./market-chart.js";
import { localise } from "./times.js";

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const AGAIN_MS = 2_000;

const place = document.getElementById("chart"), empty = document.getElementById("chart-empty");
const { symbol, interval } = place.dataset;
const query = `?${new URLSearchParams({ symbol, interval })}`;
let chart = null, isAsking = false, askedAt = 0;

const pick = document.getElementById("market-pick");
pick.querySelector("button").hidden = true;
pick.addEventListener("change", () => pick.requestSubmit());

async function load() {
  if (isAsking) return;
  isAsking = true;
  askedAt = performance.now();
  try {
    const answer = await fetch(`/market/chart${query}`); // the first was asked for by the page's head already
    if (answer.ok) show(await answer.json());
    else say("The chart's data could not be read.");
  } catch {
    if (!chart) say("The dashboard does not answer.");
  } finally {
    isAsking = false;
  }
}

function show(data) {
  tellAround(data);
  if (!data.times.length) return say(data.trouble);
  empty.hidden = true;
  place.hidden = false;
  chart ??= new MarketChart(place, legend, Number.parseInt(interval, 10) * UNIT_SECONDS[interval.at(-1)]);
  chart.draw(data);
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

// The age of what is drawn, and what is to be known of the strategy's lines.
function tellAround({ read_wall_ms: read, note }) {
  const age = document.getElementById("chart-age");
  age.hidden = !read;
  if (read) {
    const time = age.firstElementChild;
    time.classList.add("age");
    time.dataset.wall = read;
    localise(age);
  }
  const words = document.getElementById("chart-note");
  if (words.textContent !== note) words.textContent = note;
}

watch(`/market/chart/tail${query}`, "ledger market", (tail) => {
  tellAround(tail);
  if (!tail.times.length) return say(tail.trouble);
  if (chart?.update(tail)) return;
  const wait = chart?.data.fills !== tail.fills ? 0 : Math.max(0, askedAt + AGAIN_MS - performance.now());
  setTimeout(load, wait);
});
load();

// A box of words at the top of each pane: of the candle in the first, of the pane's lines in all.
function legend({ data, at, marks, colours, when, tops }) {
  const price = (value) => value.toLocaleString("en", { minimumFractionDigits: data.digits, maximumFractionDigits: data.digits });
  const lines = (pane) => data.lines.flatMap((line, number) => line.pane === pane ? [reading(line, at, colours[number], pane === "price" ? price : plain)] : []);
  const boxes = [[...candle(data, at, marks, when, price), text("", "break"), ...lines("price")], ...data.panes.map((pane) => lines(pane.key))];
  while (place.parentElement.querySelectorAll(".legend").length < boxes.length) place.before(text("", "legend"));
  place.parentElement.querySelectorAll(".legend").forEach((box, number) => {
    box.replaceChildren(...(boxes[number] ?? []));
    box.style.top = `${place.offsetTop + (tops[number] ?? 0)}px`;
  });
}

function candle(data, at, marks, when, price) {
  const change = 100 * (data.close[at] / data.open[at] - 1);
  return [
    text(when), pair("O", price(data.open[at])), pair("H", price(data.high[at])), pair("L", price(data.low[at])), pair("C", price(data.close[at])),
    text(`${change >= 0 ? "▲ +" : "▼ −"}${Math.abs(change).toFixed(2)} %`, change >= 0 ? "gain" : "loss"), pair("Volume", compact(data.volume[at])),
    ...marks.map(({ side, count, quantity, price: paid }) => text(`${side === "BUY" ? "▲ B" : "▼ S"} ${compact(quantity)} at ${price(paid)}${count > 1 ? ` in ${count} fills` : ""}`, side === "BUY" ? "gain" : "loss")),
  ];
}

function reading(line, at, shade, write) {
  const value = line.values[at] ?? latest(line.values, at);
  const shown = pair(line.label, value === null ? "–" : write(value)), key = text("", `key ${line.shape}`);
  key.style.color = shade;
  shown.prepend(key);
  return shown;
}

// The running candle has no indicators yet: those of the newest closed ones hold.
function latest(values, at) {
  const recent = at === values.length - 1 ? values.slice(-3).filter((value) => value !== null) : [];
  return recent.at(-1) ?? null;
}

function text(words, kind = "") {
  const made = document.createElement("span");
  made.className = kind;
  made.textContent = words;
  return made;
}

function pair(name, value) {
  const made = text(`${name} `), bold = document.createElement("b");
  bold.textContent = value;
  made.append(bold);
  return made;
}

function plain(value) {
  return value.toFixed(Math.abs(value) >= 1 ? 2 : 4);
}

function compact(value) {
  return value.toLocaleString("en", { notation: value >= 100_000 ? "compact" : "standard", maximumSignificantDigits: 5 });
}
