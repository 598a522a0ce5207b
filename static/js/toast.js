// Notices at the lower right: what happened, with an optional button such as Undo.
const LIFE_MS = 8000;
const ICON_FILE = new URL("../img/icons.svg", import.meta.url).pathname;
const ICONS = { success: "done", info: "done", warning: "alert", error: "error" };

/** The `<svg>` of one of our icons. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${ICON_FILE}#${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Show a notice. Errors stay until they are dismissed. */
export function toast(text, { level = "success", hint = "", action = null } = {}) {
  const notice = document.createElement("div");
  notice.className = "notice";
  notice.dataset.level = level;
  const words = document.createElement("span");
  words.textContent = hint ? `${text} ${hint}` : text;
  notice.append(icon(ICONS[level] ?? "done"), words);
  if (action) notice.append(button(action.label, action.run, "btn-plain"));
  notice.append(dismissButton());
  document.getElementById("notices").append(notice);
  return notice;
}

/** The notice of a failed request or any other error. */
export const toastError = (error) =>
  toast(error.message, { level: "error", hint: error.hint ?? "" });

function button(label, run, kind) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = `btn ${kind}`;
  made.textContent = label;
  made.addEventListener("click", () => {
    made.closest(".notice").remove();
    run();
  });
  return made;
}

function dismissButton() {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "btn btn-quiet btn-icon";
  made.dataset.dismiss = "";
  made.setAttribute("aria-label", "Dismiss this notice");
  made.append(icon("close"));
  return made;
}

function expire(notice) {
  const later = () =>
    setTimeout(
      () => (notice.matches(":hover, :focus-within") ? later() : notice.remove()),
      LIFE_MS,
    );
  if (!["error", "warning"].includes(notice.dataset.level)) later();
}

/** Dismissing and ageing, for notices of ours, of the page and of htmx alike. */
export function watchNotices() {
  const box = document.getElementById("notices");
  box.addEventListener("click", (event) =>
    event.target.closest("[data-dismiss]")?.closest(".notice").remove(),
  );
  box.querySelectorAll(".notice").forEach(expire);
  new MutationObserver((changes) => {
    for (const change of changes)
      for (const node of change.addedNodes) if (node.matches?.(".notice")) expire(node);
  }).observe(box, { childList: true });
}
