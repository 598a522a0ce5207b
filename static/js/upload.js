// One file on its way to the site in pieces (tus 1.0): goes on after a lost connection and a reload.
// Written by hand: tus-js-client 4.3 begins anew where a proxy answers 503 while the site restarts
// (112 MiB sent for a file of 64 MiB, 72 here), sends no checksums and gives up in the end.
import { HttpError, send } from "./http.js";

const PIECE = 8 * 2 ** 20;
const WAITS_MS = [1000, 2000, 4000, 8000, 15000, 30000];
const TUS = { "Tus-Resumable": "1.0.0" };
const RATE_MS = 5000;
const SIGN_IN = "Sign in, then choose the same file again: its upload goes on where it stopped.";

const remembered = (file) => `maxft-upload ${file.name} ${file.size} ${file.lastModified}`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** How fast bytes arrive, over the last seconds. */
class Rate {
  points = [];

  add(bytes) {
    const now = performance.now();
    this.points.push([now, bytes]);
    while (this.points.length > 2 && now - this.points[0][0] > RATE_MS) this.points.shift();
  }

  get bytesPerSecond() {
    const [first] = this.points;
    const last = this.points.at(-1);
    return first === last ? 0 : ((last[1] - first[1]) / (last[0] - first[0])) * 1000;
  }
}

export class Upload {
  /** `onChange(upload)` hears of every step: `sent`, `state` (sending, waiting, done, stopped). */
  constructor(file, uploadsUrl, onChange) {
    Object.assign(this, { file, uploadsUrl, onChange });
    this.sent = 0;
    this.state = "sending";
    this.rate = new Rate();
    this.url = null;
    this.aborter = new AbortController();
  }

  /** Send the file and make a dataset of it; gives {id, name, url}. Throws where it is refused. */
  async run(name) {
    await this.persist(() => this.locate());
    this.rate.add(this.sent);
    while (this.sent < this.file.size) await this.persist(() => this.sendPiece());
    const made = await this.persist(() => this.finish(name));
    localStorage.removeItem(remembered(this.file));
    this.change("done");
    return made;
  }

  /** Stop for good, here and on the site. */
  async discard() {
    this.change("stopped");
    this.aborter.abort();
    localStorage.removeItem(remembered(this.file));
    if (this.url) await send("DELETE", this.url, { headers: TUS });
  }

  change(state) {
    this.state = state;
    this.onChange(this);
  }

  /** Repeat `step` while the connection or the server is away, asking each time how far it got. */
  async persist(step) {
    for (let failures = 0; ; failures++) {
      try {
        if (failures && this.url) await this.askOffset();
        const result = await step();
        if (this.state === "waiting") this.change("sending");
        return result;
      } catch (error) {
        if (this.state === "stopped" || (error instanceof HttpError && !passes(error.status)))
          throw error;
        this.change("waiting");
        await Promise.race([pause(WAITS_MS[Math.min(failures, WAITS_MS.length - 1)]), online()]);
      }
    }
  }

  /** Find the upload begun earlier, or begin one. */
  async locate() {
    this.url = localStorage.getItem(remembered(this.file));
    if (this.url && (await this.askOffset())) return;
    const metadata = `filename ${base64(this.file.name)}`;
    const headers = {
      ...TUS,
      "Upload-Length": String(this.file.size),
      "Upload-Metadata": metadata,
    };
    const response = await expectOk(await send("POST", this.uploadsUrl, { headers }));
    this.url = response.headers.get("Location");
    this.sent = 0;
    localStorage.setItem(remembered(this.file), this.url);
  }

  /** Whether the site still knows this upload; takes over how much of it has arrived. */
  async askOffset() {
    const response = await send("HEAD", this.url, { headers: TUS, cache: "no-store" });
    if (response.status === 404) return false;
    await expectOk(response);
    this.sent = Number(response.headers.get("Upload-Offset"));
    this.change(this.state);
    return true;
  }

  async sendPiece() {
    const begin = this.sent;
    const piece = this.file.slice(begin, begin + PIECE);
    const answer = await this.patch(piece, begin, await checksum(piece));
    this.sent = Number(answer.headers.get("Upload-Offset"));
    this.rate.add(this.sent);
    this.change("sending");
  }

  /** XMLHttpRequest, for fetch does not tell how much of a body has left. */
  patch(piece, begin, sum) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("PATCH", this.url);
      const token = document.querySelector("meta[name=csrf-token]").content;
      const headers = { ...TUS, "Upload-Offset": String(begin), "X-CSRFToken": token };
      if (sum) headers["Upload-Checksum"] = `sha256 ${sum}`;
      headers["Content-Type"] = "application/offset+octet-stream";
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.upload.onprogress = (event) => {
        this.sent = begin + Math.min(event.loaded, piece.size);
        this.rate.add(this.sent);
        this.onChange(this);
      };
      request.onload = () => {
        const answer = new Response(request.status === 204 ? null : request.response, {
          status: request.status,
          headers: headersOf(request, ["Upload-Offset", "Tus-Resumable"]),
        });
        resolve(expectOk(answer));
      };
      request.onerror = request.ontimeout = () => reject(new TypeError("The connection was lost."));
      this.aborter.signal.addEventListener("abort", () => request.abort(), { once: true });
      request.onabort = () => reject(new DOMException("Stopped", "AbortError"));
      request.send(piece);
    });
  }

  async finish(name) {
    const body = new URLSearchParams({ name });
    return (
      await expectOk(await send("POST", `${this.url}import/`, { headers: TUS, body }))
    ).json();
  }
}

/** Whether trying again may help: the server is away, busy, or was one piece ahead of us. */
const passes = (status) => [409, 423, 429, 460, 502, 503, 504].includes(status);

async function expectOk(response) {
  // A redirect to the login page looks like success, but does not speak the protocol.
  if (response.ok && !response.headers.has("Tus-Resumable"))
    throw new HttpError(401, { error: { message: "You are signed out.", hint: SIGN_IN } });
  if (response.ok) return response;
  throw new HttpError(response.status, await response.json().catch(() => null));
}

function headersOf(request, names) {
  const pairs = names.map((name) => [name, request.getResponseHeader(name)]);
  return Object.fromEntries(pairs.filter(([, value]) => value !== null));
}

const online = () =>
  new Promise((resolve) => {
    if (!navigator.onLine) window.addEventListener("online", resolve, { once: true });
  });

const base64Bytes = (bytes) =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const base64 = (text) => base64Bytes(new TextEncoder().encode(text));

/** SHA-256 in base64; browsers only make it on pages that came over HTTPS or from this machine. */
async function checksum(piece) {
  if (!globalThis.crypto?.subtle) return null;
  return base64Bytes(
    new Uint8Array(await crypto.subtle.digest("SHA-256", await piece.arrayBuffer())),
  );
}
