// What every page can do: theme, dialogs, menus, copying, messages, forms sent once.
"use strict";

const app = (() => {
  const root = document.documentElement;
  const all = (selector, within = document) => within.querySelectorAll(selector);

  function csrfToken() {
    return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
  }

  // Messages

  function toast(text, tone = "info") {
    const template = document.querySelector(`template[data-toast="${tone}"]`);
    const made = template.content.cloneNode(true);
    made.querySelector("p").textContent = text;
    const element = made.firstElementChild;
    document.querySelector("[data-toasts]").append(made);
    dismissLater(element);
  }

  // Errors stay until they are closed; the rest goes by itself unless someone is reading it.
  function dismissLater(element) {
    if (element.matches(".toast-danger, .toast-warning")) return;
    let timer;
    const stop = () => clearTimeout(timer);
    const start = () => {
      stop();
      timer = setTimeout(() => element.remove(), 6000);
    };
    for (const name of ["pointerenter", "focusin"]) element.addEventListener(name, stop);
    for (const name of ["pointerleave", "focusout"]) element.addEventListener(name, start);
    start();
  }

  // Theme: follows the system until someone chooses; choosing the system's own follows it again.

  const systemDark = matchMedia("(prefers-color-scheme: dark)");

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches;
  }

  function showTheme() {
    for (const button of all("[data-theme-toggle]")) button.setAttribute("aria-pressed", isDark());
  }

  function toggleTheme() {
    const dark = !isDark();
    const followsSystem = dark === systemDark.matches;
    const secure = location.protocol === "https:" ? "; secure" : "";
    if (followsSystem) delete root.dataset.theme;
    else root.dataset.theme = dark ? "dark" : "light";
    document.cookie = `theme=${root.dataset.theme ?? ""}; path=/; samesite=lax${secure}; max-age=${followsSystem ? 0 : 31536000}`;
    showTheme();
  }

  // Clicks

  async function copy(text, button) {
    const label = button.querySelector("[data-copy-label]");
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      toast("Copying is not possible here. Please select the text.", "warning");
      return;
    }
    if (!label) {
      toast("Copied.");
      return;
    }
    const before = label.textContent;
    label.textContent = "Copied";
    setTimeout(() => { label.textContent = before; }, 2000);
  }

  function reveal(button) {
    const input = document.getElementById(button.dataset.reveal);
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    button.setAttribute("aria-pressed", !shown);
  }

  const actions = {
    "data-theme-toggle": toggleTheme,
    "data-open-dialog": (button) => document.getElementById(button.dataset.openDialog).showModal(),
    "data-close-dialog": (button) => button.closest("dialog").close(),
    "data-dismiss": (button) => button.closest(".toast").remove(),
    "data-copy": (button) => copy(button.dataset.copy, button),
    "data-copy-code": (button) => copy(button.parentElement.querySelector("pre").textContent, button),
    "data-reveal": reveal,
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    for (const name in actions) if (button?.hasAttribute(name)) actions[name](button);
    // A click on the backdrop lands on the dialog itself.
    if (event.target instanceof HTMLDialogElement) event.target.close();
    for (const menu of all("[data-menu][open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of all("[data-menu][open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // Forms go out once. Later clicks wait for the page that answers the first.

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method === "dialog") return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "true";
    keepUnsent(form);
    event.submitter?.setAttribute("aria-busy", "true");
  });

  // What was written outlives a session that ended: it waits in this tab while the same person
  // signs in or proves who they are. Any other page forgets it, and so does signing out.

  const UNSENT = "unsent";
  const NEVER_KEPT = ["hidden", "password", "file", "submit", "button"];
  const signingIn = /^\/sign-in(\/|$)/.test(location.pathname);
  const interrupts = signingIn || /^\/confirm(\/|$)/.test(location.pathname) || document.querySelector(".problem-status");
  const identity = () => document.querySelector(".who")?.textContent;
  const written = (form) => [...form.elements].filter((field) =>
    field.name && !NEVER_KEPT.includes(field.type) && field.autocomplete !== "one-time-code"
    && !document.querySelector(`[data-reveal="${CSS.escape(field.id)}"]`));

  function keepUnsent(form) {
    if (form.getAttribute("method") === "get" || interrupts || !identity()) return;
    const fields = written(form).map(({ name, value, checked }) => [name, value, checked]);
    if (!fields.length) return;
    const kept = { who: identity(), page: location.pathname, action: form.getAttribute("action"), fields };
    sessionStorage.setItem(UNSENT, JSON.stringify(kept));
  }

  function signInAgain(form) {
    keepUnsent(form);
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
  }

  function giveUnsentBack() {
    const kept = JSON.parse(sessionStorage.getItem(UNSENT));
    if (!kept) return;
    if (interrupts) {
      if (signingIn && !kept.interrupted) {
        toast("Your session has ended. What you wrote comes back when you have signed in.");
      }
      sessionStorage.setItem(UNSENT, JSON.stringify({ ...kept, interrupted: true }));
      return;
    }
    sessionStorage.removeItem(UNSENT);
    if (!kept.interrupted || kept.who !== identity() || kept.page !== location.pathname) return;
    const form = [...document.forms].find((one) => one.getAttribute("action") === kept.action && written(one).length);
    if (!form) return;
    form.closest("dialog:not([open])")?.showModal();
    for (const field of written(form)) {
      const choice = ["checkbox", "radio"].includes(field.type);
      const found = kept.fields.find(([name, value]) => name === field.name && (!choice || value === field.value));
      if (!found) continue;
      if (choice) field.checked = found[2];
      else field.value = found[1];
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    toast("What you wrote is here again. It was not sent.", "warning");
  }

  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of all("form[data-sent]")) delete form.dataset.sent;
    for (const button of all('button[aria-busy="true"]')) button.removeAttribute("aria-busy");
  });

  // htmx

  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRF-Token"] = csrfToken();
  });
  document.addEventListener("htmx:responseError", (event) => {
    toast(problemOf(event.detail.xhr.responseText).detail, "danger");
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, () => toast("The server cannot be reached. Please try again.", "danger"));
  }
  document.addEventListener("toast", (event) => toast(event.detail.text, event.detail.tone));
  document.addEventListener("htmx:afterSwap", (event) => enhance(event.target));

  // The server's problem document (RFC 9457), or one that says as much as we know.
  function problemOf(text) {
    try {
      const found = JSON.parse(text);
      if (found.detail) return found;
    } catch { /* not ours: a proxy's page, or nothing at all */ }
    return { title: "That did not work", detail: "The server gave no reason. Please try again." };
  }

  // Times are written in UTC; the local time shows on hover. Hidden buttons that need script appear.
  function enhance(within) {
    for (const time of all("time[datetime]", within)) {
      time.title = new Date(time.dateTime).toLocaleString();
    }
    for (const button of all("[data-reveal][hidden]", within)) button.hidden = false;
  }

  enhance(document);
  giveUnsentBack();
  showTheme();
  systemDark.addEventListener("change", showTheme);
  for (const element of all(".toasts .toast")) dismissLater(element);
  document.querySelector("[data-error-summary]")?.focus();

  return { csrfToken, problemOf, signInAgain, toast };
})();
