// The chat. What the server says is data: it is put into the page as text, Markdown only by the small reader below.
const room = document.querySelector("section.chat");
const { GituClient } = await import(room.dataset.client);
const { Files, shown: media } = await import(room.dataset.files);
const texts = JSON.parse(room.dataset.texts);
const list = room.querySelector(".letters"), state = room.querySelector(".state"), typing = room.querySelector(".typing");
const form = room.querySelector("form.write"), box = form.querySelector("textarea"), empty = room.querySelector(".empty");
const chat = room.dataset.chat, chats = room.querySelector(".chats");
const csrf = document.querySelector("meta[name=csrf]").content;
const say = (name, values = {}) => (texts[name] ?? name).replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");

const make = (tag, className = "", text = "") => {
  const found = document.createElement(tag);
  if (className) found.className = className;
  if (text) found.textContent = text;
  return found;
};

// ---- Markdown: paragraphs, lists, code, emphasis, links to the web; anything else stays as it was written -------

function inline(text, into) {
  const pattern = /(`+)(.+?)\1|\*\*(.+?)\*\*|\*(\S(?:.*?\S)?)\*|\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)|(https?:\/\/[^\s<>"')\]]+)/g;
  let last = 0;
  for (const found of text.matchAll(pattern)) {
    into.append(text.slice(last, found.index));
    const [, , code, strong, soft, label, target, bare] = found;
    if (code) into.append(make("code", "", code));
    else if (strong) inline(strong, into.appendChild(make("strong")));
    else if (soft) inline(soft, into.appendChild(make("em")));
    else {
      const link = make("a", "", label ?? bare);
      link.href = target ?? bare;
      link.rel = "noopener noreferrer nofollow";
      link.target = "_blank";
      into.append(link);
    }
    last = found.index + found[0].length;
  }
  into.append(text.slice(last));
}

function markdown(text, into) {
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; ) {
    const fence = lines[at].match(/^\s*(```+|~~~+)/);
    const item = /^\s*(?:[-*+]|(\d+)[.)])\s+/;
    if (fence) {
      const from = ++at;
      while (at < lines.length && !lines[at].trim().startsWith(fence[1])) at++;
      into.appendChild(make("pre")).append(make("code", "", lines.slice(from, at++).join("\n")));
    } else if (item.test(lines[at])) {
      const ordered = lines[at].match(item)[1];
      const found = into.appendChild(make(ordered ? "ol" : "ul"));
      if (ordered) found.start = Number(ordered);
      while (at < lines.length && item.test(lines[at])) inline(lines[at++].replace(item, ""), found.appendChild(make("li")));
    } else if (/^#{1,6}\s/.test(lines[at])) {
      inline(lines[at++].replace(/^#+\s+/, ""), into.appendChild(make("p", "head")));
    } else if (lines[at].trim()) {
      const from = at;
      while (at < lines.length && lines[at].trim() && !item.test(lines[at]) && !/^\s*(```|~~~)/.test(lines[at])) at++;
      inline(lines.slice(from, at).join("\n"), into.appendChild(make("p")));
    } else at++;
  }
}

// ---- what stands in the list ------------------------------------------------------------------------------------

const shown = new Map();
let growing = null, steps = new Map();

function entry(kind, at) {
  const found = make("li", kind);
  const head = make("p", "who", say(kind.startsWith("said") ? "chat.you" : "chat.gitu"));
  if (at) {
    const time = make("time", "", new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = new Date(at * 1000).toISOString();
    head.append(time);
  }
  found.append(head, make("div", "body"));
  empty.hidden = true;
  return found;
}

// Pictures grow once they are there: whoever was at the end stays there.
let follows = true;
const follow = () => list.lastElementChild?.scrollIntoView({ block: "end" });
addEventListener("scroll", () => { follows = near(); }, { passive: true });
addEventListener("resize", () => follows && follow());
const near = () => room.scrollHeight - scrollY - innerHeight < 400 || document.documentElement.scrollHeight - scrollY - innerHeight < 300;
function put(element, before = null) {
  const follow = near();
  list.insertBefore(element, before);
  if (follow) element.scrollIntoView({ block: "end" });
}

function part(each, into, letter) {
  if (each.type === "text") each.format === "plain" && letter.kind === "said" ? into.append(make("p", "plain", each.text)) : markdown(each.text, into);
  else if (each.type === "ask") into.append(question(each));
  else if (each.type === "answer") into.append(make("p", "plain", chosen(each.choice)));
  else if (each.type === "media") into.append(media(each, { make, say }, () => follows && follow()));
  else if (each.type === "location") into.append(make("p", "plain", `${each.name ?? ""} ${each.latitude}, ${each.longitude}`));
}

function question(ask) {
  const found = make("fieldset", "ask");
  found.dataset.ask = ask.id;
  found.append(make("legend", "", ask.question));
  if (ask.items?.length) {
    const facts = make("dl", "facts");
    for (const item of ask.items) {
      facts.append(make("dt", "", item.name), make("dd", "", item.value));
      if (item.source) facts.lastChild.append(make("small", "", item.source));
    }
    found.append(facts);
  } else if (ask.details) found.append(make("pre", "details", ask.details));
  const row = found.appendChild(make("div", "row"));
  for (const choice of ask.choices) {
    const button = make("button", choice === "yes" ? "" : "quiet", texts[`chat.choice.${choice}`] ?? choice);
    button.type = "button";
    button.addEventListener("click", () => choice === "until" ? day(found, ask) : decide(found, ask, choice));
    row.append(button);
  }
  return found;
}

function day(found, ask) {
  if (found.querySelector("input")) return;
  const label = make("label", "", say("chat.until"));
  const input = label.appendChild(make("input"));
  input.type = "date";
  input.min = new Date().toISOString().slice(0, 10);
  input.addEventListener("change", () => input.value && decide(found, ask, `until ${input.value}`));
  found.append(label);
  input.focus();
}

function decide(found, ask, choice) {
  gitu.choose(ask.id, choice, { chat });
  answered(found, choice);
}

const chosen = (choice) => say("chat.chosen", { choice: texts[`chat.choice.${choice}`] ?? choice });
function answered(found, choice, counts = false) { // what the server says first counts, whatever was pressed here
  found.querySelectorAll("button, input").forEach((each) => { each.disabled = true; });
  found.classList.add("done");
  const told = found.querySelector(".chosen") ?? found.appendChild(make("p", "chosen"));
  if (!found.dataset.answered) told.textContent = chosen(choice);
  if (counts) found.dataset.answered = choice;
}

function opinion(found, key) {
  const row = found.appendChild(make("div", "opinion"));
  for (const good of [true, false]) {
    const button = make("button", "icon", good ? "👍" : "👎");
    button.type = "button";
    button.setAttribute("aria-label", say(good ? "chat.good" : "chat.bad"));
    button.addEventListener("click", () => (good ? tell(row, key, true, "") : remark(row, key)));
    row.append(button);
  }
}

async function tell(row, key, good, comment) {
  const headers = { "content-type": "application/json", "x-csrf-token": csrf };
  const told = await fetch("/v1/feedback", { method: "POST", headers, body: JSON.stringify({ key, good, comment }) });
  row.replaceChildren(make("p", "hint", say(told.ok ? "chat.thanks" : "error.title")));
}

function remark(row, key) {
  const field = make("form", "remark"), label = field.appendChild(make("label", "", say("chat.comment")));
  const input = label.appendChild(make("input"));
  input.maxLength = 2000;
  field.append(make("button", "quiet", say("chat.send_comment")));
  field.addEventListener("submit", (event) => {
    event.preventDefault();
    tell(row, key, false, input.value);
  });
  row.replaceChildren(field);
  input.focus();
}

/** Another talk shows itself as a link, called by the first words of it that are known. */
function elsewhere(told) {
  const words = told.parts.find((each) => each.type === "text")?.text;
  if (!told.chat || !words || told.kind !== "said" || chats.querySelector(`[data-chat="${CSS.escape(told.chat)}"]`)) return;
  const link = make("a", "button quiet");
  link.dataset.chat = told.chat;
  link.href = `/chat?chat=${encodeURIComponent(told.chat)}`;
  if (told.chat === chat) link.setAttribute("aria-current", "page");
  link.append(make("span", "", words.slice(0, 60)));
  chats.insertBefore(link, chats.querySelector(".new"));
}

function letter(told) {
  elsewhere(told);
  if ((told.chat ?? "") !== chat) return;
  if (shown.has(told.key)) return shown.get(told.key).classList.remove("unsent");
  const found = entry(told.kind, told.at);
  if (told.kind === "said" && told.device && told.device !== room.dataset.device) found.firstChild.append(make("span", "badge", say("chat.elsewhere")));
  for (const each of told.parts) {
    part(each, found.querySelector(".body"), told);
    if (each.type === "answer") document.querySelectorAll(`[data-ask="${CSS.escape(each.ask)}"]`).forEach((ask) => answered(ask, each.choice, true));
  }
  if (told.kind === "told") {
    if (told.parts.some((each) => each.type === "text")) opinion(found, told.key);
    grown();
    typing.hidden = true;
  }
  shown.set(told.key, found);
  put(found);
}

function grown() {
  growing?.remove();
  growing = null;
}

function delta(told) {
  if (!growing) {
    growing = entry("told growing");
    growing.text = "";
    growing.setAttribute("aria-live", "off"); // the whole answer is read out once, when it is there
    put(growing);
  }
  growing.text = told.reset ? told.text : growing.text + told.text;
  const follow = near(), body = growing.querySelector(".body");
  body.replaceChildren();
  markdown(growing.text, body);
  if (follow) growing.scrollIntoView({ block: "end" });
}

function step(told, words) {
  let found = steps.get(told.call);
  if (!found) {
    found = make("li", "step");
    steps.set(told.call, found);
    put(found, growing);
  }
  found.textContent = words;
  found.classList.toggle("bad", told.ok === false);
}

// ---- the talk ---------------------------------------------------------------------------------------------------

const kept = `unsent.${room.dataset.person}`; // of the person: who signs in again is another device
const load = () => { try { return JSON.parse(sessionStorage.getItem(kept)) ?? []; } catch { return []; } };
const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/socket`;
const gitu = new GituClient(url, { recent: 100, unsent: load() });
const on = (type, call) => gitu.addEventListener(type, (event) => call(event.detail));
const here = (type, call) => on(type, (told) => (told.chat ?? "") === chat && call(told));

on("state", (now) => {
  const words = { connecting: "chat.connecting", connected: "chat.connected", lost: "chat.lost", refused: "chat.unlinked" }[now];
  state.textContent = say(words);
  state.className = `state ${now}`;
  if (now !== "connected") typing.hidden = true;
  if (now === "refused") location.href = `/auth?next=${encodeURIComponent(location.pathname + location.search)}`;
});
on("letter", letter);
here("delta", delta);
here("typing", (told) => { if (!told.device) typing.hidden = !told.on; });
here("tool_started", (told) => step(told, say("chat.working", told)));
here("tool_finished", (told) => step(told, say(told.ok ? "chat.worked" : "chat.failed", { ...told, seconds: told.seconds.toFixed(1) })));
here("progress", (told) => { if (told.call) step(told, told.text); });
here("finished", () => { typing.hidden = true; grown(); });
on("error", (told) => put(make("li", "step bad", [told.detail, told.hint].filter(Boolean).join("; "))));
on("reset", () => { list.replaceChildren(); shown.clear(); steps = new Map(); });
on("unsent", (left) => sessionStorage.setItem(kept, JSON.stringify(left)));

const files = new Files(form, { make, say, csrf, changed });
let waits = false;
new ResizeObserver(() => { // the talk ends above the field, however high that is
  room.style.setProperty("--write", `${form.offsetHeight}px`);
  if (follows) follow();
}).observe(form);

/** Something about the files is new: a message that waited for them goes off. */
function changed() {
  const failed = files.failed, busy = files.busy;
  if (waits && !busy) {
    waits = false;
    if (!failed) go();
  }
}

function go() {
  const text = box.value.trim(), parts = files.take();
  if (!text && !parts.length) return;
  send(text, parts);
  box.value = "";
  grow();
}

function send(text, parts) {
  const key = gitu.say(text, { chat, parts });
  const found = entry("said unsent", Date.now() / 1000), body = found.querySelector(".body");
  if (text) body.append(make("p", "plain", text));
  for (const each of parts) part(each, body, { kind: "said" });
  shown.set(key, found);
  put(found);
  found.scrollIntoView({ block: "end" });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  waits = files.busy;
  if (waits) files.tell(say("chat.file_wait"));
  else if (files.failed) files.tell(say("chat.file_left"), true);
  else go();
});
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
typing.querySelector(".stop").addEventListener("click", () => gitu.say("/stop", { chat }));
function grow() {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
}
box.addEventListener("input", grow);
if (texts.say) {
  history.replaceState(null, "", chat ? `/chat?chat=${encodeURIComponent(chat)}` : "/chat");
  box.value = texts.say;
  grow();
  box.focus();
}
