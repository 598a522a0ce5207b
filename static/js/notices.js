// Notices of the browser while a page is open: only where somebody turned them on in this browser.
import { follow } from "./socket.js";

const KEY = "maxft-notices";
const ICON = new URL("../img/favicon.svg", import.meta.url).href;

// Phones show them from service workers alone, which this site has none of.
export const isSupported = () =>
  "Notification" in window && isSecureContext && !/Android/.test(navigator.userAgent);
export const isOn = () =>
  isSupported() && Notification.permission === "granted" && localStorage.getItem(KEY) === "on";
export const turn = (on) => (on ? localStorage.setItem(KEY, "on") : localStorage.removeItem(KEY));

/** Show what the server has to tell, each once, whatever number of pages is open. */
export function watchNotifications() {
  if (!isOn()) return;
  const socket = follow("/ws/notices/", { onFrame: show, onState: () => {} });

  function show({ id, title, text, path }) {
    // pages that tell of the same thing share one notice: that is what a tag is for
    const notice = new Notification(title, { body: text, tag: `maxft-${id}`, icon: ICON });
    notice.onclick = () => {
      window.focus();
      if (path) location.assign(path);
    };
    notice.onshow = () => socket.say({ shown: id });
  }
}
