// Keeps a page up to date while it is looked at. Everything works without this file.
//
// The server's stream says only that something has changed (`/events`); htmx then fetches the page
// anew and morphs `main`, so that focus, opened details and the place on the page stay.
"use strict";
(() => {
  const body = document.body;
  const sign = document.getElementById("live");
  if (!sign) return; // this page does not move, or was asked to stand still

  const LOOK_AGAIN_MS = 30_000; // ages and durations on the page grow without any event
  const RETRY_MS = 5_000;
  let stream = null;
  let put_off = false;
  let retry = 0;

  function show(on) {
    sign.className = on ? "live on" : "live off";
    sign.textContent = on ? "live" : "connecting";
  }

  // Whoever is filling in a form shall not have it changed under their hands.
  function is_editing() {
    const at = document.activeElement;
    return at !== null && at.closest("main") !== null && at.matches("input, select, textarea");
  }

  function refresh() {
    put_off = is_editing();
    if (!put_off && !document.hidden) htmx.trigger(body, "chimera:changed");
  }

  function listen() {
    clearTimeout(retry);
    if (!body.dataset.hints || stream !== null || document.hidden) return;
    stream = new EventSource(body.dataset.hints);
    stream.addEventListener("open", () => show(true));
    stream.addEventListener("changed", refresh);
    stream.addEventListener("error", () => {
      show(false);
      if (stream !== null && stream.readyState === EventSource.CLOSED) {
        leave();
        retry = setTimeout(catch_up, RETRY_MS);
      }
    });
  }

  function leave() {
    if (stream !== null) stream.close();
    stream = null;
  }

  function catch_up() {
    refresh();
    listen();
  }

  // A tab that nobody looks at holds no connection: a browser has six for a server.
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : catch_up()));
  document.addEventListener("focusout", () => setTimeout(() => put_off && refresh()));
  addEventListener("pagehide", leave);
  setInterval(refresh, LOOK_AGAIN_MS);
  if (!body.dataset.hints) show(true);
  listen();
})();
