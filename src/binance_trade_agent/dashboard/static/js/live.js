// The tab's WebSocket: it says which regions the page shows, and puts in their place what the server sends.
import { duration, localise, setServerTime } from "./times.js";

const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const SILENCE_MS = 12_000; // the server gives a sign of life every five seconds
const listeners = new Map(); // address of a region of data -> functions that take it

const PRESS_MS = 1500; // a finger or button that is down for longer, or whose end was never seen, holds nothing up

let socket = null, tries = 0, lastNews = Date.now(), isGone = false, retry = 0;
let pressed = null, release = 0;

// Let `take` have the data of a region (an address that answers with JSON), now and whenever it changes.
export function watch(url, on, take) {
  const known = listeners.get(url) ?? { on, takes: new Set() };
  known.takes.add(take);
  listeners.set(url, known);
  subscribe();
  return () => {
    known.takes.delete(take);
    if (!known.takes.size) listeners.delete(url);
    subscribe();
  };
}

export function connect() {
  document.addEventListener("regions:changed", subscribe);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && isGone) open(); });
  window.addEventListener("online", () => { if (isGone) open(); });
  document.addEventListener("focusout", () => setTimeout(settle, 50));
  document.addEventListener("pointerdown", (event) => { pressed = event.target; lift(PRESS_MS); }, { capture: true });
  for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => lift(50), { capture: true });
  setInterval(look, 1000);
  open();
}

function open() {
  clearTimeout(retry);
  if (socket && socket.readyState <= WebSocket.OPEN) return;
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket.onopen = () => { tries = 0; lastNews = Date.now(); subscribe(); };
  socket.onmessage = (event) => { lastNews = Date.now(); here(); receive(JSON.parse(event.data)); };
  socket.onclose = (event) => { socket = null; gone(event.code); };
}

function subscribe() {
  if (socket?.readyState !== WebSocket.OPEN) return;
  const regions = [...document.querySelectorAll("[data-live]")].map((element) => ({ url: element.dataset.live, on: element.dataset.on ?? "ledger" }));
  const data = [...listeners].map(([url, { on }]) => ({ url, on }));
  socket.send(JSON.stringify({ watch: [...regions, ...data] }));
}

function receive(message) {
  if (message.now) setServerTime(message.now);
  if (message.data !== undefined) for (const take of listeners.get(message.url)?.takes ?? []) take(message.data);
  if (message.html !== undefined) {
    for (const element of document.querySelectorAll(`[data-live="${CSS.escape(message.url)}"]`)) put(element, message.html);
  }
}

// A click is the press and the release of the same element: what is pressed stays until then.
function lift(after) {
  clearTimeout(release);
  release = setTimeout(() => { pressed = null; settle(); }, after);
}

// A region in which somebody types or presses is left alone until that is over.
function put(element, html) {
  const active = document.activeElement;
  if (element.contains(pressed) || (element.contains(active) && active.matches("input, select, textarea"))) {
    element.pending = html;
    return;
  }
  element.pending = undefined;
  if (element.shown === html) return;
  element.shown = html;
  const open = [...element.querySelectorAll("details[open][id]")].map((details) => details.id);
  const scrolled = [...element.querySelectorAll(".scroll[id]")].map((box) => [box.id, box.scrollLeft, box.scrollTop]);
  const focused = element.contains(active) ? nameOf(active) : "";
  element.innerHTML = html;
  for (const id of open) element.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
  for (const [id, left, top] of scrolled) element.querySelector(`#${CSS.escape(id)}`)?.scrollTo(left, top);
  if (focused) element.querySelector(focused)?.focus({ preventScroll: true });
  localise(element);
  window.htmx?.process(element);
  element.dispatchEvent(new CustomEvent("region:changed", { bubbles: true }));
}

// By which what has the focus is found again: its id, where it leads to, or what it opens.
function nameOf(active) {
  if (active.id) return `#${CSS.escape(active.id)}`;
  if (active.matches("a[href]")) return `a[href="${CSS.escape(active.getAttribute("href"))}"]`;
  return active.matches("details[id] > summary") ? `#${CSS.escape(active.parentElement.id)} > summary` : "";
}

function settle() {
  for (const element of document.querySelectorAll("[data-live]")) if (element.pending !== undefined) put(element, element.pending);
}

function gone(code) {
  if (code === 1008) { // the session is over, or was never one
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    return;
  }
  isGone = true;
  banner();
  retry = setTimeout(open, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)] * (0.75 + Math.random() / 2));
}

function look() {
  if (socket?.readyState === WebSocket.OPEN && Date.now() - lastNews > SILENCE_MS) socket.close(4000, "silence");
  if (isGone) banner();
}

function here() {
  if (!isGone) return;
  isGone = false;
  document.documentElement.classList.remove("server-gone");
  const element = document.getElementById("connection");
  element.hidden = true;
}

function banner() {
  const element = document.getElementById("connection");
  document.documentElement.classList.add("server-gone");
  element.hidden = false;
  element.classList.add("bad");
  const text = `The dashboard does not answer. What you see is ${duration(Date.now() - lastNews)} old. It reconnects by itself; the trader does not depend on it.`;
  if (element.textContent !== text) element.textContent = text;
}
