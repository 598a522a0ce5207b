// The first module of every page: wires the frame, then loads the page's own module (data-module).
import { watchConfirms } from "./confirm.js";
import { watchCopy } from "./copy.js";
import { watchNotifications } from "./notices.js";
import { watchShortcuts } from "./shortcuts.js";
import { watchTheme } from "./theme_switch.js";
import { watchTimes } from "./times.js";
import { toast, watchNotices } from "./toast.js";

watchTheme();
watchNotices();
watchConfirms();
watchCopy();
watchShortcuts();
watchTimes();
watchNotifications();
watchHtmx();

const name = document.body.dataset.module;
if (/^[a-z_]+$/.test(name)) await import(`./${name}.js`);

function watchHtmx() {
  document.addEventListener("htmx:configRequest", (event) => {
    const token = document.querySelector("meta[name=csrf-token]");
    event.detail.headers["X-CSRFToken"] = token.content;
  });
  document.addEventListener("htmx:responseError", ({ detail }) => {
    const { status } = detail.xhr;
    toast(`The server answered ${status}.`, {
      level: "error",
      hint: "Reload the page and try again.",
    });
  });
  document.addEventListener("htmx:sendError", () =>
    toast("The server can't be reached.", {
      level: "error",
      hint: "Check that it runs, then try again.",
    }),
  );
}
