// A conversation: sends a message, shows the answer while it is written.
"use strict";

(() => {
  const chat = document.querySelector("[data-chat]");
  if (!chat) return;

  const API = "/api/conversations";
  const PAGE = "/chat";
  const find = (name, within = chat) => within.querySelector(`[data-${name}]`);
  const log = find("log");
  const scroller = find("scroll");
  const composer = find("composer");
  const input = composer.elements.text;
  const phone = matchMedia("(pointer: coarse)");

  let conversation = chat.dataset.conversation;
  let isNew = !conversation; // the rest of the page does not know it yet
  let running = null; // the AbortController of the answer that is being written
  let following = true; // the log scrolls along until someone scrolls up
  let failed = null; // the question that got no whole answer: sent again, it is the same one

  function copyOf(name) {
    return chat.querySelector(`template[data-template="${name}"]`).content.cloneNode(true).firstElementChild;
  }

  // Scrolling

  let followed = 0; // how far down we scrolled last

  function look(now) {
    following = now;
    find("to-latest").hidden = now;
  }

  function follow() {
    // The event of someone's scrolling comes a frame late; by then this would have undone it.
    if (following && scroller.scrollTop < followed - 1) look(false);
    if (following) scroller.scrollTop = scroller.scrollHeight;
    followed = scroller.scrollTop;
  }

  scroller.addEventListener("scroll", () => {
    look(scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60);
  });
  find("to-latest").addEventListener("click", () => {
    look(true);
    followed = 0;
    follow();
  });

  // Server-sent events over fetch: EventSource can neither POST nor send a header.

  async function* events(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        rest += value;
        // A line end may be cut in two: a lone \r at the end waits for what follows.
        const parts = rest.split(/(?:\r\n|\n|\r(?!\n|$)){2}/);
        rest = parts.pop();
        for (const part of parts) {
          const event = parse(part);
          if (event) yield event;
        }
      }
    } finally {
      reader.cancel().catch(() => {}); // whoever stops listening also stops the answer
    }
  }

  function parse(part) {
    let name = "message";
    const data = [];
    for (const line of part.split(/\r\n|\n|\r/)) {
      const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (field === "event") name = value;
      if (field === "data") data.push(value);
    }
    return data.length ? { name, data: JSON.parse(data.join("\n")) } : null;
  }

  // Problems

  class Refused extends Error {
    constructor(problem) {
      super(problem.detail);
      this.problem = problem;
    }
  }

  async function call(path, body, { method = "POST", headers = {}, signal } = {}) {
    const response = await fetch(path, {
      method,
      headers: { "Content-Type": "application/json", "X-CSRF-Token": app.csrfToken(), ...headers },
      body: JSON.stringify(body),
      signal,
    });
    if (!response.ok) throw new Refused(app.problemOf(await response.text()));
    return response;
  }

  function problemOf(error) {
    // A problem's title is the protocol's word for it; its detail is for people.
    if (error instanceof Refused) return { title: "That did not work", detail: error.problem.detail };
    return { title: "The connection was lost", detail: "Please check it and try again." };
  }

  function showProblem(problem) {
    find("problem").hidden = !problem;
    find("problem-title").textContent = problem?.title ?? "";
    find("problem-detail").textContent = problem?.detail ?? "";
  }

  // One answer

  class Answer {
    constructor() {
      this.element = copyOf("assistant");
      this.target = this.element.querySelector(".message-text");
      this.target.removeAttribute("data-markdown");
      this.target.replaceChildren();
      this.element.setAttribute("aria-busy", "true"); // screen readers wait for the whole
      this.text = "";
      this.drawing = 0;
    }

    append(text) {
      this.text += text;
      this.drawing ||= requestAnimationFrame(() => this.draw());
    }

    replace(text) {
      this.text = text;
      this.draw();
    }

    draw() {
      cancelAnimationFrame(this.drawing);
      this.drawing = 0;
      markdown.show(this.target, this.text);
      follow();
    }

    // Told once when it begins and once more with what became of it.
    tool(use) {
      const list = find("tools", this.element);
      let item = list.querySelector(`[data-tool="${CSS.escape(use.id)}"]`);
      if (!item) {
        item = copyOf("tool");
        item.dataset.tool = use.id;
        list.append(item);
      }
      const state = find("tool-state", item);
      const words = JSON.parse(state.dataset.words);
      find("tool-title", item).textContent = use.title;
      item.dataset.state = use.state;
      state.textContent = words[use.reason] ?? words[use.state] ?? "";
      list.hidden = false;
      say(`${use.title}: ${state.textContent}`);
      follow();
    }

    sources(found) {
      if (!found.length) return;
      const details = copyOf("sources");
      details.querySelector("[data-count]").textContent = `${found.length} ${found.length === 1 ? "source" : "sources"}`;
      for (const one of found) {
        const item = copyOf("source");
        let title = item.querySelector(".source-title");
        item.querySelector(".source-path").textContent = one.path ?? "";
        if (one.url && new URL(one.url, location.href).origin === location.origin) {
          const link = document.createElement("a");
          link.className = title.className;
          link.href = one.url;
          title.replaceWith(link);
          title = link;
        }
        title.textContent = one.title;
        item.querySelector("blockquote").textContent = one.quote ?? "";
        details.querySelector("ol").append(item);
      }
      find("sources", this.element).replaceChildren(details);
      follow();
    }

    finish(result) {
      if (result.call_id) this.element.dataset.callId = result.call_id;
      find("model", this.element).textContent = result.model ?? "";
      find("stand-in", this.element).hidden = !result.stand_in;
      find("small-local", this.element).hidden = result.provider !== "small_local";
      const review = result.review ? ["A person will look at this"] : [];
      this.end([...review, ...(result.marks ?? [])].join(". "));
      const known = this.element.dataset.callId && !result.review;
      find("ask-person", this.element).hidden = !(known && "mayAskPerson" in chat.dataset);
    }

    end(note) {
      this.draw();
      this.element.removeAttribute("aria-busy");
      find("note", this.element).textContent = note;
      find("foot", this.element).hidden = false;
      // What has no call cannot be rated.
      for (const button of this.element.querySelectorAll("[data-rate]")) button.hidden = !this.element.dataset.callId;
      follow();
    }
  }

  async function ensureConversation(signal) {
    if (conversation) return;
    const response = await call(API, {}, { signal });
    conversation = (await response.json()).id;
    history.replaceState(null, "", `${PAGE}/${conversation}`);
  }

  // crypto.randomUUID exists only where the page came over HTTPS or from this machine.
  function newKey() {
    return [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
  }

  async function send(text) {
    const key = failed?.text === text ? failed.key : newKey();
    const question = copyOf("person");
    question.querySelector(".message-text").textContent = text;
    const answer = new Answer();
    showProblem(null);
    for (const element of failed?.key === key ? failed.elements : []) element.remove();
    failed = null;
    log.append(question, answer.element);
    showIntro();
    look(true);
    followed = 0;
    follow();
    busy(new AbortController());
    const { signal } = running;
    let accepted = false;
    try {
      await ensureConversation(signal);
      const headers = { "Accept": "text/event-stream", "Idempotency-Key": key };
      const response = await call(`${API}/${conversation}/messages`, { text }, { headers, signal });
      accepted = true;
      await receive(response, answer);
      say("The answer is complete.");
      if (isNew) document.body.dispatchEvent(new Event("conversation-started"));
      isNew = false;
    } catch (error) {
      const stopped = error.name === "AbortError";
      if (accepted && stopped) {
        answer.end("Stopped");
        say("Stopped.");
        return;
      }
      const elements = [question, answer.element];
      if (accepted) answer.end("Interrupted");
      if (!answer.text) elements.pop().remove();
      if (!accepted) elements.pop().remove();
      failed = { text, key, elements };
      showIntro();
      putBack(text);
      if (error.problem?.status === 401) app.signInAgain(input.form);
      else if (!stopped) showProblem(problemOf(error));
    } finally {
      busy(null);
      awaitAnswer();
    }
  }

  async function receive(response, answer) {
    for await (const { name, data } of events(response)) {
      if (name === "delta") answer.append(data.text);
      if (name === "replace") answer.replace(data.text);
      if (name === "tool") answer.tool(data);
      if (name === "sources") answer.sources(data.sources);
      if (name === "error") throw new Refused(data);
      if (name === "done") {
        answer.finish(data);
        return;
      }
    }
    throw new TypeError("The stream ended early.");
  }

  // An empty conversation begins with an introduction.
  function showIntro() {
    log.hidden = !log.childElementCount && Boolean(find("intro"));
    find("intro")?.toggleAttribute("hidden", !log.hidden);
  }

  function putBack(text) {
    if (!input.value.trim()) input.value = text;
    grow();
  }

  function busy(controller) {
    running = controller;
    find("send").hidden = Boolean(controller);
    find("stop").hidden = !controller;
    if (controller) say("The answer is being written.");
    else if (!phone.matches) input.focus();
  }

  function say(text) {
    find("status").textContent = text;
  }

  // Composer

  function grow() {
    if (CSS.supports("field-sizing", "content")) return;
    input.style.height = "auto";
    input.style.height = `${input.scrollHeight}px`;
  }

  composer.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || running) return;
    input.value = "";
    grow();
    send(text);
  });
  input.addEventListener("input", grow);
  input.addEventListener("keydown", (event) => {
    // While an input method composes a word, Enter belongs to it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || phone.matches) return;
    event.preventDefault();
    composer.requestSubmit();
  });
  find("stop").addEventListener("click", () => running?.abort());

  // Clicks in the log

  function rateCall(id, rating, why = {}) {
    return call(`/api/feedback/${id}`, { rating, ...why }, { method: "PUT" });
  }

  async function rate(button) {
    const id = button.closest("[data-call-id]").dataset.callId;
    const buttons = button.parentElement.querySelectorAll("[data-rate]");
    const before = [...buttons].map((one) => one.getAttribute("aria-pressed"));
    for (const one of buttons) one.setAttribute("aria-pressed", one === button);
    try {
      await rateCall(id, button.dataset.rate);
      say("Your rating is kept.");
      if (button.dataset.rate === "down") askWhy(id);
    } catch (error) {
      buttons.forEach((one, at) => one.setAttribute("aria-pressed", before[at]));
      app.toast(problemOf(error).detail, "danger");
    }
  }

  function askWhy(id) {
    const dialog = find("why");
    const form = dialog.querySelector("form");
    form.reset();
    form.onsubmit = async () => {
      const { person, ...why } = Object.fromEntries(new FormData(form));
      if (!person && !why.comment.trim() && !why.correction.trim()) return;
      try {
        await rateCall(id, "down", why);
        const message = log.querySelector(`[data-call-id="${CSS.escape(id)}"]`);
        if (person) await askPerson(find("ask-person", message), (why.correction || why.comment).slice(0, 2000));
        app.toast("Thank you.", "success");
      } catch (error) {
        app.toast(problemOf(error).detail, "danger");
      }
    };
    dialog.showModal();
  }

  async function askPerson(button, comment = "") {
    const message = button.closest("[data-call-id]");
    button.hidden = true;
    try {
      await call(`/api/review/asked/${message.dataset.callId}`, { comment });
      find("note", message).textContent = "A person will look at this";
      say("A person will look at this answer.");
    } catch (error) {
      button.hidden = false;
      app.toast(problemOf(error).detail, "danger");
    }
  }

  // The last question, when the page came with no whole answer to it.
  function retry(key) {
    if (running) return;
    const messages = [...log.children];
    const at = messages.findLastIndex((one) => one.matches(".message-person"));
    const text = messages[at].querySelector(".message-text").textContent;
    failed = { text, key, elements: messages.slice(at) };
    send(text);
  }

  async function copyMessage(button) {
    await navigator.clipboard.writeText(button.closest(".message").querySelector(".message-text").innerText);
    app.toast("Copied.");
  }

  chat.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.hasAttribute("data-rate")) rate(button);
    if (button?.hasAttribute("data-ask-person")) askPerson(button);
    if (button?.hasAttribute("data-copy-message")) copyMessage(button);
    if (button?.hasAttribute("data-retry")) retry(button.dataset.retry);
    if (button?.hasAttribute("data-suggestion")) {
      input.value = button.textContent;
      composer.requestSubmit();
    }
  });

  // Answers that were already here came as plain text.
  function dress() {
    for (const target of log.querySelectorAll("[data-markdown]")) {
      const text = target.textContent;
      target.removeAttribute("data-markdown");
      target.replaceChildren();
      markdown.show(target, text);
    }
    follow();
  }

  // What comes without being asked for: an answer that was being written when the page was loaded,
  // and what becomes of a tool that waits for approval.

  const SOON = 1000;
  const [NOW_AND_THEN, SELDOM] = [3000, 15_000];
  const PRESENT = 10 * 60_000; // a page that nobody looks at keeps no session open
  let awaiting = false;
  let lastSeen = Date.now();

  function isExpected() {
    if (running || failed) return 0;
    if (find("answering", log)) return SOON;
    return log.querySelector('[data-state="waiting"]') ? NOW_AND_THEN : 0;
  }

  function looksLike(list) {
    return [...list.querySelectorAll(":scope > *, [data-state]")].map((one) => one.dataset.state ?? one.className).join();
  }

  async function awaitAnswer() {
    if (awaiting) return;
    awaiting = true;
    let pause = 0;
    while (isExpected()) {
      pause = isExpected() === SOON ? SOON : Math.min(Math.max(pause * 1.2, NOW_AND_THEN), SELDOM);
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (!isExpected() || document.hidden || Date.now() - lastSeen > PRESENT) continue;
      const response = await fetch(location.href).catch(() => null);
      if (!response?.ok || response.redirected || !isExpected()) continue;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const now = page.querySelector("[data-log]");
      if (!now || looksLike(now) === looksLike(log)) continue;
      log.replaceChildren(...now.childNodes);
      dress();
      if (!find("answering", log)) say("There is something new in this conversation.");
    }
    awaiting = false;
  }

  for (const sign of ["pointermove", "keydown", "focus"]) {
    addEventListener(sign, () => {
      lastSeen = Date.now();
    }, { passive: true });
  }

  dress();
  awaitAnswer();
})();
