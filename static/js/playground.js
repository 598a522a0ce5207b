// The playground: sends messages without a reload and shows answers while they are written.
import { watchAttachments } from "./attach.js";
import { HttpError, send } from "./http.js";
import { icon, toast, toastError } from "./toast.js";

const form = document.getElementById("chat");
const turns = document.getElementById("turns");

if (form) {
  const message = form.elements.question;
  form.addEventListener("submit", sendLive);
  turns.addEventListener("click", copy);
  message.addEventListener("keydown", sendOnEnter);
  for (const select of [form.elements.model, form.elements.beside])
    select.addEventListener("change", showChoice);
  document.addEventListener("keydown", stopOnEscape);
  watchAttachments(message, showProblem);
  form.addEventListener("click", choosePrompt);
  followNew();
  turns.scrollTop = turns.scrollHeight;
}

function choosePrompt(event) {
  const button = event.target.closest("[data-prompt]");
  if (!button) return;
  form.elements.question.value = button.dataset.prompt;
  form.elements.question.focus();
}

function stopOnEscape(event) {
  const stop = form.querySelector("[data-live=stop]");
  if (event.key !== "Escape" || event.defaultPrevented || !stop || stop.hidden) return;
  event.preventDefault();
  form.requestSubmit(stop);
}

function sendOnEnter(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit(document.getElementById("send"));
}

/** What a button with data-live does with the answer; other buttons bring the next page. */
const LIVE = {
  ask(_button, html) {
    turns.querySelector(".empty")?.remove();
    turns.append(...elements(html));
    form.elements.question.value = "";
    turns.scrollTop = turns.scrollHeight;
  },
  again(button, html) {
    button.closest(".bubble").replaceWith(...elements(html));
  },
  stop() {},
};

async function sendLive(event) {
  const button = event.submitter;
  const live = LIVE[button?.dataset.live];
  if (!live) return;
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  showProblem(null);
  try {
    live(button, await post(button.getAttribute("formaction") ?? form.action));
  } catch (error) {
    showProblem(error);
  }
  form.ariaBusy = "false";
  followNew();
}

async function post(address) {
  const body = new URLSearchParams(new FormData(form));
  const response = await send("POST", address, { body, headers: { "HX-Request": "true" } });
  if (response.ok) return response.text();
  const isJson = response.headers.get("Content-Type")?.includes("json");
  throw new HttpError(response.status, isJson ? await response.json() : null);
}

function showProblem(error) {
  const place = document.getElementById("composer-problem");
  place.replaceChildren();
  if (!error) return;
  const line = document.createElement("p");
  const words = document.createElement("span");
  line.className = "field-error";
  words.textContent = `${error.message} ${error.hint ?? ""}`;
  line.append(icon("error"), words);
  place.append(line);
}

const elements = (html) => [...new DOMParser().parseFromString(html, "text/html").body.children];

/** Open the stream of each answer that is being written and not followed yet. */
function followNew() {
  for (const bubble of turns.querySelectorAll("[data-stream]:not([data-followed])")) follow(bubble);
  showStop();
}

function showStop() {
  const stop = form.querySelector("[data-live=stop]");
  if (stop) stop.hidden = !turns.querySelector("[data-stream]");
}

function follow(bubble) {
  bubble.dataset.followed = "";
  const text = bubble.querySelector("[data-text]");
  const source = new EventSource(bubble.dataset.stream);
  const on = (name, act) =>
    source.addEventListener(name, (event) => act(event.data && JSON.parse(event.data)));

  on("waiting", (ahead) => say(bubble, ahead === "0" ? "Next in line" : `${ahead} ahead`));
  on("loading", () => say(bubble, "Loading the model"));
  on("text", (piece) => {
    say(bubble, "Writing");
    keepAtEnd(() => text.append(piece));
  });
  on("end", () => finish(source, bubble));
  on("lost", async (why) => {
    source.close();
    toast(why, { level: "error", hint: "Ask again, or start the site again." });
    await post(form.querySelector("[data-live=stop]").getAttribute("formaction")).catch(toastError);
    finish(source, bubble);
  });
  // A lost connection is opened again by the browser, behind the last event; a refusal is not.
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) finish(source, bubble);
  });
}

function say(bubble, word) {
  const badge = bubble.querySelector("[data-state-of-answer] .status");
  if (badge && badge.lastChild.textContent.trim() !== word)
    badge.lastChild.textContent = ` ${word}`;
}

/** The server's own rendering takes the place of the raw text. */
async function finish(source, bubble) {
  source.close();
  try {
    const response = await send("GET", bubble.dataset.answer);
    if (!response.ok) throw new HttpError(response.status, null);
    const html = await response.text();
    keepAtEnd(() => bubble.replaceWith(...elements(html)));
  } catch (error) {
    toastError(error);
  }
  showStop();
}

/** Change the chat; a reader at its end stays there, one who scrolled up is left alone. */
function keepAtEnd(change) {
  const isAtEnd = turns.scrollHeight - turns.scrollTop - turns.clientHeight < 60;
  change();
  if (isAtEnd) turns.scrollTop = turns.scrollHeight;
}

async function copy(event) {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    toast("The answer is copied.");
  } catch {
    toast("The browser did not allow copying.", {
      level: "error",
      hint: "Select the text instead.",
    });
  }
}

/** The word beside a select says what kind of model is chosen. */
function showChoice({ target }) {
  const badge = target.closest(".duel-model").querySelector("[data-badge]");
  const group = target.selectedOptions[0]?.parentElement.label;
  badge.replaceChildren();
  if (group) {
    const status = document.createElement("span");
    status.className = "status";
    if (group === "Tuned") status.dataset.state = "note";
    status.append(icon(group === "Tuned" ? "run" : "model"), ` ${group}`);
    badge.append(status);
  }
  form.elements.question.placeholder = form.elements.beside.value
    ? "Message to both models"
    : "Message";
  showParameters();
}

/** What shapes a written answer is of no use where no model that writes is chosen. */
function showParameters() {
  const judging = new Set(JSON.parse(document.getElementById("judging").textContent));
  const chosen = [form.elements.model.value, form.elements.beside.value].filter(Boolean);
  const onlyJudges = chosen.every((pk) => judging.has(Number(pk)));
  for (const part of form.querySelectorAll("[data-for]"))
    part.hidden = (part.dataset.for === "judging") !== onlyJudges;
}
