// Times come as UTC; here they get the reader's zone, and ages count on. UTC stays in the title.
const forms = {
  datetime: new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" }),
  time: new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }),
  date: new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }),
};

// What the machine's clock is ahead of the browser's, in ms; corrected by each sign of life.
let ahead = Number(document.querySelector("meta[name=server-time]")?.content ?? Date.now()) - Date.now();

export function setServerTime(now) {
  ahead = now - Date.now();
}

export function localise(root) {
  for (const [kind, form] of Object.entries(forms)) {
    for (const element of root.querySelectorAll(`time[data-${kind}]`)) {
      element.textContent = form.format(new Date(element.dateTime));
    }
  }
  age(root);
}

export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (!minutes) return `${seconds} s`;
  if (!hours) return `${minutes} min`;
  if (!days) return `${hours} h ${minutes % 60} min`;
  return `${days} ${days === 1 ? "day" : "days"} ${hours % 24} h`;
}

function age(root) {
  const now = Date.now() + ahead;
  for (const element of root.querySelectorAll("time.age")) {
    const old = now - Number(element.dataset.wall), limit = Number(element.dataset.stale) * 1000;
    const text = `${duration(old)} ago`;
    if (element.textContent !== text) element.textContent = text;
    const isStale = limit > 0 && old > limit;
    element.classList.toggle("stale", isStale);
    element.closest("[data-stale-with]")?.classList.toggle("is-stale", isStale);
  }
}

setInterval(() => age(document), 1000);
