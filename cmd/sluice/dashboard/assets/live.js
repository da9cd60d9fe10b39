// Keeps a page as it is in truth. The server says when something changed; then the page asks for itself and takes over what
// differs, so that focus, scroll, what was typed and what was opened stay. Without this script a page is as true as when it was read.
"use strict";
(() => {
  const live = document.getElementById("live");
  const still = live.querySelector(".still"), read = document.getElementById("read");
  let tag = "", asking = false, again = false, source = null, lost = 0, readAt = Date.now(), heard = Date.now();

  // The words are those of when.go.
  const span = s => s < 60 ? s + "s" : s < 3600 ? Math.floor(s / 60) + "m" : s < 172800 ? Math.floor(s / 3600) + "h" : Math.floor(s / 86400) + "d";
  const two = n => String(n).padStart(2, "0");
  const exactly = s => s < 60 ? s + "s" : s < 3600 ? Math.floor(s / 60) + "m " + two(s % 60) + "s"
    : s < 172800 ? Math.floor(s / 3600) + "h " + two(Math.floor(s / 60) % 60) + "m" : Math.floor(s / 86400) + "d " + Math.floor(s % 86400 / 3600) + "h";

  function tick() {
    const now = Date.now();
    for (const t of document.querySelectorAll("time.ago, time.age, time.until")) {
      const s = Math.floor((now - Date.parse(t.dateTime)) / 1000);
      const text = t.className === "age" ? span(Math.abs(s)) : s < 0 ? "in " + exactly(-s) : t.className === "until" ? "now" : s < 1 ? "just now" : span(s) + " ago";
      if (t.textContent !== text) t.textContent = text;
    }
    if (source && now - heard > 40000) { source.close(); source = null; lost ||= heard; listen(); } // it beats every 15 s
    if (lost && now - lost > 4000) say("lost", "Connection lost, as of", new Date(readAt));
  }

  function say(state, words, at) {
    const text = at.toISOString().slice(11, 19) + " UTC";
    if (live.dataset.state !== state) live.dataset.state = state;
    if (still.textContent !== words) still.textContent = words;
    if (read.textContent !== text) read.textContent = text;
  }

  // become makes an element like another one, and keeps it where it is.
  function become(old, next) {
    for (const { name } of [...old.attributes])
      if (!next.hasAttribute(name) && !own(old, name)) old.removeAttribute(name);
    for (const { name, value } of [...next.attributes])
      if (old.getAttribute(name) !== value && !own(old, name)) old.setAttribute(name, value);
    children(old, next);
  }

  // own is what belongs to the reader: what is open, what is typed or chosen.
  const own = (e, name) => name === "open" || (name === "value" || name === "checked" || name === "selected") && /^(INPUT|OPTION)$/.test(e.nodeName);

  function children(old, next) {
    const named = new Map();
    for (const c of old.children) if (c.id) named.set(c.id, c);
    let at = old.firstChild;
    for (const want of [...next.childNodes]) {
      let have = want.id ? named.get(want.id) : at;
      while (have && !want.id && have.id) have = have.nextSibling;
      if (have && have.nodeName === want.nodeName && (have.id || "") === (want.id || "")) {
        if (have !== at) old.insertBefore(have, at); else at = at.nextSibling;
        if (have.nodeType !== 1) { if (have.nodeValue !== want.nodeValue) have.nodeValue = want.nodeValue; }
        else if (have.id !== "live" && have.nodeName !== "TIME" && !have.isEqualNode(want)) { mark(have, want); become(have, want); }
        else if (have.nodeName === "TIME" && have.dateTime !== want.dateTime) have.replaceWith(want);
      } else old.insertBefore(want, at);
    }
    while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
  }

  // mark shows for a moment that a cell changed in what it says.
  function mark(have, want) {
    if (!have.classList.contains("cell") || words(have) === words(want)) return;
    setTimeout(() => { have.classList.add("fresh"); setTimeout(() => have.classList.remove("fresh"), 2500); });
  }
  const words = e => { const c = e.cloneNode(true); c.querySelectorAll("time").forEach(t => t.remove()); return c.textContent; };

  async function ask() {
    if (asking) { again = true; return; }
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html", ...(tag && { "If-None-Match": tag }) }, cache: "no-store", credentials: "same-origin", redirect: "manual" });
      if (answer.type === "opaqueredirect") { location.reload(); return; } // to where one signs in
      if (answer.status === 401) { say("lost", "Signed out, as of", new Date(readAt)); return; }
      if (answer.status >= 500 || answer.status === 429) throw new Error(answer.status);
      if (answer.status !== 304) {
        tag = answer.headers.get("ETag") || "";
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        document.title = page.title;
        const x = scrollX, y = scrollY;
        children(document.body, page.body);
        scrollTo(x, y);
      }
      readAt = Date.now(); lost = 0;
      say("live", "Live, as of", new Date());
    } catch { lost ||= Date.now(); setTimeout(ask, 5000); }
    finally { asking = false; tick(); if (again) { again = false; setTimeout(ask, 1000); } }
  }

  function listen() {
    if (source || document.hidden) return;
    source = new EventSource("/events");
    heard = Date.now();
    for (const word of ["open", "beat", "changed"]) source.addEventListener(word, () => { heard = Date.now(); });
    source.addEventListener("open", ask);
    source.addEventListener("changed", ask);
    source.addEventListener("error", () => {
      lost ||= Date.now();
      if (source.readyState === EventSource.CLOSED) { source = null; setTimeout(listen, 10000); ask(); }
    });
  }

  // A page that nobody sees asks for nothing, and holds no connection, of which a browser has six.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && source) { source.close(); source = null; } else listen();
  });
  document.addEventListener("keydown", e => {
    const search = document.getElementById("q");
    if (e.key === "k" && (e.ctrlKey || e.metaKey) && !e.altKey && !e.shiftKey && search) { e.preventDefault(); search.focus(); search.select(); }
  });
  setInterval(tick, 1000);
  listen();
})();
