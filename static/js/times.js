// Times that tick: "3 min ago" grows older while the page is open; a clock shows the reader's zone.
const TICK_MS = 15_000;

/** A moment as seen from now, in the words that the server uses. */
export function ago(seconds) {
  const size = Math.abs(seconds);
  if (size < 45) return seconds >= 0 ? "just now" : "in a moment";
  const far = duration(Math.max(size, 60));
  return seconds >= 0 ? `${far} ago` : `in ${far}`;
}

/** 19 min, 2 h 5 min, 3 d 4 h. */
export function duration(seconds) {
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  if (hours < 24) return rest ? `${hours} h ${rest} min` : `${hours} h`;
  const days = Math.floor(hours / 24).toLocaleString("en");
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

function tick(root = document) {
  for (const time of root.querySelectorAll("time[data-ago]")) {
    const words = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== words) time.textContent = words;
  }
  for (const time of root.querySelectorAll("time[data-clock]"))
    time.textContent = new Date(time.dateTime).toLocaleTimeString([], {
      hour: "2-digit",
      minute: "2-digit",
    });
}

export function watchTimes() {
  tick();
  setInterval(() => document.hidden || tick(), TICK_MS);
  document.addEventListener("visibilitychange", () => document.hidden || tick());
  document.addEventListener("htmx:afterSwap", () => tick());
}
