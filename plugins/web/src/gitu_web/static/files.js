// Files of the chat: chosen, dropped or pasted, sent ahead of the message that names them; and files that are shown.

const KINDS = { image: /^image\/(png|jpeg|gif|webp|avif)$/, audio: /^audio\//, video: /^video\// };
const AT_ONCE = 3;
const kindOf = (type) => Object.keys(KINDS).find((kind) => KINDS[kind].test(type)) ?? "file";

/** A number of bytes, as people say it. */
export const amount = (bytes) => {
  const [size, unit] = bytes < 1024 ? [bytes, "B"] : bytes < 1 << 20 ? [bytes / 1024, "KiB"] : [bytes / (1 << 20), "MiB"];
  return `${size >= 100 || unit === "B" ? Math.round(size) : size.toFixed(1).replace(/\.0$/, "")} ${unit}`;
};

/** What a part with a file looks like. *settled* is called when its size on the page is known. */
export function shown(part, { make, say }, settled) {
  const { blob } = part, name = blob.name || say("chat.file_unnamed"), kind = kindOf(blob.media_type ?? "");
  const found = make("figure", `media ${kind}`), url = `/v1/files/${blob.digest}`;
  const link = make("a", "", say("chat.file_save", { name, size: amount(blob.size) }));
  link.href = url;
  link.download = blob.name || "";
  if (kind !== "file") {
    const show = make(kind === "image" ? "img" : kind);
    if (kind === "image") show.alt = say("chat.file_picture", { name: part.caption || name });
    else {
      show.controls = true;
      show.preload = "metadata";
      show.setAttribute("aria-label", name);
    }
    show.addEventListener(kind === "image" ? "load" : "loadedmetadata", settled);
    show.addEventListener("error", () => show.remove());
    show.src = url;
    found.append(show);
  }
  const words = found.appendChild(make("figcaption"));
  if (part.caption) words.append(make("span", "", part.caption));
  words.append(link);
  return found;
}

/** The files that wait to go with the next message. `changed` is called whenever something about them is new. */
export class Files {
  constructor(form, { make, say, csrf, changed }) {
    Object.assign(this, { make, say, csrf, changed, all: [], bad: "" });
    this.most = Number(form.dataset.most);
    this.largest = Number(form.dataset.largest);
    this.list = form.querySelector(".files");
    this.note = form.querySelector(".files-note");
    const input = form.querySelector("input[type=file]"), button = form.querySelector(".attach");
    this.button = button;
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this.add(input.files);
      input.value = "";
    });
    form.querySelector("textarea").addEventListener("paste", (event) => {
      if (!event.clipboardData?.files.length) return;
      event.preventDefault();
      this.add(event.clipboardData.files);
    });
    this.droppable();
  }

  droppable() {
    const room = document.querySelector("section.chat"), brings = (event) => event.dataTransfer?.types.includes("Files");
    let depth = 0; // entering a child comes before leaving its parent
    const over = (now) => room.classList.toggle("dropping", now > 0);
    document.addEventListener("dragenter", (event) => brings(event) && over(++depth));
    document.addEventListener("dragleave", (event) => brings(event) && over((depth = Math.max(0, depth - 1))));
    document.addEventListener("dragover", (event) => brings(event) && event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!brings(event)) return;
      event.preventDefault(); // a browser would leave the page for the file
      over((depth = 0));
      this.add(event.dataTransfer.files);
    });
  }

  /** True while one of them is on its way. */
  get busy() {
    return this.all.some((each) => each.state === "waits" || each.state === "comes");
  }

  get failed() {
    return this.all.some((each) => each.state === "failed");
  }

  /** Hands them over as parts of a message, and begins anew. */
  take() {
    const parts = this.all.filter((each) => each.blob).map(({ blob }) => (
      { type: "media", blob, kind: kindOf(blob.media_type) }));
    this.all.forEach((each) => each.picture && URL.revokeObjectURL(each.picture));
    this.all = [];
    this.bad = "";
    this.list.replaceChildren();
    this.tell("");
    return parts;
  }

  /** Says something; what was *bad* stays until something else is done. */
  tell(words, bad = false) {
    if (bad) this.bad = words;
    this.note.textContent = bad ? words : [this.bad, words].filter(Boolean).join(" ");
    this.note.classList.toggle("bad", Boolean(this.bad));
    this.list.hidden = !this.all.length;
    this.changed();
  }

  add(files) {
    const refused = [];
    this.bad = "";
    for (const file of files) {
      const name = file.name || this.say("chat.file_unnamed"), limit = amount(this.largest);
      if (this.all.length >= this.most) refused.push(this.say("chat.file_many", { count: this.most, name }));
      else if (!file.size) refused.push(this.say("chat.file_empty", { name }));
      else if (file.size > this.largest) refused.push(this.say("chat.file_large", { name, size: amount(file.size), limit }));
      else this.show({ file, name, state: "waits" });
    }
    this.tell(refused.join(" "), refused.length > 0);
    this.go();
  }

  show(each) {
    const { make, say } = this, row = make("li");
    if (kindOf(each.file.type) === "image") {
      each.picture = URL.createObjectURL(each.file);
      const picture = row.appendChild(make("img"));
      picture.alt = "";
      picture.src = each.picture;
    }
    const about = row.appendChild(make("span", "about"));
    about.append(make("span", "name", each.name), make("small", "", amount(each.file.size)));
    each.bar = about.appendChild(make("progress"));
    each.bar.max = 1;
    each.bar.value = 0;
    each.bar.setAttribute("aria-label", say("chat.file_coming", { name: each.name }));
    each.again = row.appendChild(make("button", "quiet again", say("chat.file_again")));
    each.again.type = "button";
    each.again.hidden = true;
    each.again.setAttribute("aria-label", `${say("chat.file_again")}: ${each.name}`);
    each.again.addEventListener("click", () => {
      each.again.hidden = true;
      each.state = "waits";
      this.bad = "";
      this.tell("");
      this.button.focus();
      this.go();
    });
    const off = row.appendChild(make("button", "icon off", "×"));
    off.type = "button";
    off.setAttribute("aria-label", say("chat.file_remove", { name: each.name }));
    off.addEventListener("click", () => this.remove(each));
    each.row = row;
    this.all.push(each);
    this.list.append(row);
  }

  remove(each) {
    each.request?.abort();
    if (each.picture) URL.revokeObjectURL(each.picture);
    const at = this.all.indexOf(each);
    this.all.splice(at, 1);
    each.row.remove();
    this.bad = "";
    (this.all[Math.min(at, this.all.length - 1)]?.row.querySelector(".off") ?? this.button).focus();
    this.tell("");
    this.go();
  }

  /** Sends what waits, a few at once. */
  go() {
    for (const each of this.all.filter(({ state }) => state === "waits")) {
      if (this.all.filter(({ state }) => state === "comes").length >= AT_ONCE) return;
      this.send(each);
    }
  }

  send(each) {
    const request = (each.request = new XMLHttpRequest()), { say } = this;
    each.state = "comes";
    each.row.className = "";
    request.open("POST", `/v1/files?name=${encodeURIComponent(each.file.name)}`);
    request.setRequestHeader("x-csrf-token", this.csrf);
    request.setRequestHeader("content-type", each.file.type || "application/octet-stream");
    request.upload.addEventListener("progress", ({ loaded, total }) => { each.bar.value = total ? loaded / total : 0; });
    request.addEventListener("load", () => {
      let told = {};
      try { told = JSON.parse(request.responseText); } catch { /* a proxy may answer with a page */ }
      if (request.status !== 201) return this.broke(each, [told.detail ?? request.status, told.hint].filter(Boolean).join("; "));
      Object.assign(each, { state: "there", blob: told });
      each.row.className = "there";
      each.bar.value = 1;
      this.tell(say("chat.file_ready", { name: each.name }));
      this.go();
    });
    request.addEventListener("error", () => this.broke(each, say("chat.file_offline")));
    request.send(each.file);
  }

  broke(each, why) {
    each.state = "failed";
    each.row.className = "failed";
    each.again.hidden = false;
    this.tell(this.say("chat.file_failed", { name: each.name, why }), true);
    this.go();
  }
}
