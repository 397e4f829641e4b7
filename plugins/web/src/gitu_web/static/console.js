// The menu, light and dark, and the worker that makes the console an app. Every page works without it.
const menu = document.querySelector("button.menu");
menu?.addEventListener("click", () => {
  const open = document.body.classList.toggle("open");
  menu.setAttribute("aria-expanded", String(open));
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.classList.contains("open")) menu.click();
});
document.querySelector("button.theme")?.addEventListener("click", () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
});
// What was sent once is not sent again by a second press; a page that is gone back to can be used again.
document.addEventListener("submit", ({ target, submitter }) => {
  if (target.method !== "post") return;
  target.setAttribute("aria-busy", "true");
  setTimeout(() => target.querySelectorAll("button").forEach((each) => { each.disabled = true; }));
  submitter?.classList.add("busy");
});
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  document.querySelectorAll("form[aria-busy]").forEach((form) => form.removeAttribute("aria-busy"));
  document.querySelectorAll("form button").forEach((each) => { each.disabled = false; each.classList.remove("busy"); });
});
document.querySelector("[aria-invalid=true]")?.focus();
if ("serviceWorker" in navigator && isSecureContext) navigator.serviceWorker.register("/sw.js").catch(() => {});
