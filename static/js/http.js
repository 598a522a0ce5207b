// Requests to our own server, with the CSRF token; failures carry the server's sentence.
const token = () => document.querySelector("meta[name=csrf-token]")?.content ?? "";

/** A refused request: `status`, the server's sentence as `message`, `hint`, and the answer as `body`. */
export class HttpError extends Error {
  constructor(status, body) {
    const problem = body?.error ?? body?.errors?.[0];
    super(problem?.message ?? `The server answered ${status}.`);
    this.status = status;
    this.body = body;
    this.hint = problem?.hint ?? "";
  }
}

/** fetch with the token; the caller reads the answer, good or bad. */
export function send(method, url, { headers = {}, ...options } = {}) {
  return fetch(url, {
    method,
    credentials: "same-origin",
    headers: { "X-CSRFToken": token(), ...headers },
    ...options,
  });
}

/** The JSON answer (or text, or null for none) of a request with an optional JSON body. */
export async function request(method, url, body) {
  const json = { "Content-Type": "application/json", Accept: "application/json" };
  const response = await send(method, url, {
    headers: json,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await read(response);
  if (!response.ok) throw new HttpError(response.status, answer);
  return answer;
}

async function read(response) {
  if (response.status === 204) return null;
  const isJson = response.headers.get("Content-Type")?.includes("json");
  return isJson ? response.json() : response.text();
}

export const get = (url) => request("GET", url);
export const post = (url, body) => request("POST", url, body);
