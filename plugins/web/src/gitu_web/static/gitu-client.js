// A client of the WebSocket protocol gitu.v1: what counts arrives in order and exactly once, over any number of
// connections; what is sent is sent until it is safe, under one key.
//
//   const gitu = new GituClient("wss://host/v1/socket", { cursor, token });
//   gitu.addEventListener("letter", (event) => show(event.detail));
//   gitu.say("Hello");
//
// Events: state ("connecting", "connected", "lost", "refused"), and one for each frame of the server by its type.
// `cursor` is what to hand over next time; `unsent` holds what is not safe yet.

// (crypto.randomUUID is not there on pages without TLS.)
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (each) => each.toString(16).padStart(2, "0")).join("");

const FIRST = 500, LONGEST = 30_000, QUIET = 25_000;

export class GituClient extends EventTarget {
  constructor(url, { token = "", cursor = "", recent = -1, unsent = [] } = {}) {
    super();
    this.url = url;
    this.token = token;
    this.cursor = cursor;
    this.recent = recent;
    this.unsent = [...unsent];
    this.state = "connecting";
    this.failures = 0;
    this.socket = null;
    this.closed = false;
    this.connect();
    addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.now();
      this.tell({ type: "presence", state: document.hidden ? "away" : "active" });
    });
  }

  /** Says something, with files that were sent to /v1/files as parts; gives the key under which it is acknowledged. */
  say(text, { chat = "", reply_to = "", parts = [], key = newKey() } = {}) {
    return this.send({ type: "message", key, text, parts, chat, reply_to });
  }

  /** Makes a choice at a question. */
  choose(ask, choice, { chat = "", key = newKey() } = {}) {
    return this.send({ type: "answer", key, ask, choice, chat });
  }

  /** Sends a frame that counts, again and again until it is acknowledged. */
  send(frame) {
    this.unsent.push(frame);
    this.emit("unsent", this.unsent);
    this.tell(frame);
    return frame.key;
  }

  /** Sends a frame that does not count, if somebody listens. */
  tell(frame) {
    if (this.state === "connected") this.socket.send(JSON.stringify(frame));
  }

  close() {
    this.closed = true;
    this.socket?.close(1000);
  }

  connect() {
    clearTimeout(this.timer);
    this.become("connecting");
    const socket = (this.socket = new WebSocket(this.url, "gitu.v1"));
    socket.onopen = () => socket.send(JSON.stringify(
      { type: "hello", token: this.token, cursor: this.cursor, recent: this.recent },
    ));
    socket.onmessage = (event) => this.take(JSON.parse(event.data));
    socket.onclose = (event) => socket === this.socket && this.lost(event);
  }

  now() {
    if (this.state === "lost") this.connect();
  }

  take(frame) {
    this.alive();
    if (frame.type === "welcome") {
      this.failures = 0;
      if (frame.reset) this.emit("reset", frame);
      this.become("connected");
      for (const each of this.unsent) this.tell(each);
    } else if (frame.type === "ack" || (frame.type === "error" && frame.key && !frame.retry_after)) {
      this.unsent = this.unsent.filter((each) => each.key !== frame.key);
      this.emit("unsent", this.unsent);
    } else if (frame.type === "error" && frame.key) {
      setTimeout(() => this.unsent.filter((each) => each.key === frame.key).forEach((each) => this.tell(each)),
        frame.retry_after * 1000);
    } else if (frame.type === "letter") {
      this.cursor = frame.cursor;
    }
    this.emit(frame.type, frame);
  }

  alive() {
    clearTimeout(this.quiet);
    clearTimeout(this.dead);
    this.quiet = setTimeout(() => {
      this.tell({ type: "ping" });
      this.dead = setTimeout(() => this.socket.close(4000), QUIET / 2);
    }, QUIET);
  }

  lost(event) {
    clearTimeout(this.quiet);
    clearTimeout(this.dead);
    if (this.closed) return;
    if (event.code === 4401 || event.code === 4403) return this.become("refused");
    this.become("lost");
    const wait = Math.min(FIRST * 2 ** this.failures++, LONGEST);
    this.timer = setTimeout(() => this.connect(), wait / 2 + Math.random() * wait / 2);
  }

  become(state) {
    this.state = state;
    this.emit("state", state);
  }

  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
