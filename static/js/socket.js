// A socket that comes back: tells the server the last event it has, if any, on every (re)connect.
const SHORTEST_MS = 500;
const LONGEST_MS = 20_000;
const FINAL = new Set([4404, 4429]); // gone or not ours; too many open

/**
 * Follow a run, or notices. `after()` is the newest seq the page has; `onFrame` gets each parsed frame;
 * `onState` hears true when connected and false while not.
 */
export function follow(path, { after, onFrame, onState }) {
  let failures = 0;
  let socket = null;

  function connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${location.host}${path}`);
    socket.onopen = () => {
      failures = 0;
      onState(true);
      if (after) say({ after: after() });
    };
    socket.onmessage = ({ data }) => onFrame(JSON.parse(data));
    socket.onclose = ({ code }) => {
      onState(false);
      if (!FINAL.has(code)) setTimeout(connect, pause(failures++));
    };
  }

  const say = (frame) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
  };

  addEventListener("pagehide", () => socket.close());
  addEventListener("pageshow", (event) => event.persisted && connect());
  connect();
  return { say };
}

/** Doubles with each failure; the jitter keeps many browsers from coming back at once. */
function pause(failures) {
  const longest = Math.min(LONGEST_MS, SHORTEST_MS * 2 ** failures);
  return longest * (0.5 + Math.random() / 2);
}
