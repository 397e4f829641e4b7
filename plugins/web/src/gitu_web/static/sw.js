// Keeps the files of the shell, whose addresses change with them. Pages and answers are never kept.
const FILES = [/* files */];
const NAME = "gitu-" + FILES.join().length + "-" + FILES.map((file) => file.split("/")[2]).join("");
addEventListener("install", (event) => event.waitUntil(
  caches.open(NAME).then((cache) => cache.addAll(FILES)).then(() => skipWaiting()),
));
addEventListener("activate", (event) => event.waitUntil(
  caches.keys().then((names) => Promise.all(names.filter((name) => name !== NAME).map((name) => caches.delete(name))))
    .then(() => clients.claim()),
));
addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin || !FILES.includes(url.pathname)) return;
  event.respondWith(caches.match(event.request).then((found) => found ?? fetch(event.request)));
});
