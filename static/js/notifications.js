// The page Notifications: asks for the browser's permission, by a click and never otherwise.
import { isOn, isSupported, turn } from "./notices.js";

const panel = document.querySelector("[data-browser-notices]");
const state = panel.querySelector("[data-browser-state]");
const toggle = panel.querySelector("[data-toggle]");
const form = panel.querySelector("form[data-turn-on]");

function say() {
  const isHere = isOn() && !form;
  toggle.textContent = isHere ? "Turn off in this browser" : "Turn on in this browser";
  toggle.hidden = !isSupported() || Notification.permission === "denied";
  if (!isSupported())
    state.textContent =
      "This browser shows none here: it has to be one of a computer, and the page by https.";
  else if (Notification.permission === "denied")
    state.textContent = "This browser refuses them: allow them in its settings for this site.";
  else state.textContent = isHere ? "On in this browser, while a page is open." : "Off here.";
}

toggle.addEventListener("click", async () => {
  if (isOn() && !form) {
    turn(false);
    location.reload();
    return;
  }
  if ((await Notification.requestPermission()) !== "granted") {
    say();
    return;
  }
  turn(true);
  if (form) form.requestSubmit();
  else location.reload();
});

say();
