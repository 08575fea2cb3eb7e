// Passkeys: a form with data-passkey asks the browser for one when it is sent, and carries the
// answer in its hidden field. Options come from data-options; the server checks everything.
//
// It is there before the forms are, or who presses a button at once would send one as it stands.
"use strict";

(() => {
  const RENEW_AFTER = 4 * 60 * 1000; // a challenge counts for five minutes

  const SENTENCES = {
    NotAllowedError: "That was cancelled, or nothing answered in time. Please try again.",
    InvalidStateError: "This device has a passkey for your account already.",
    SecurityError: "Passkeys do not work at this address. Open the page by its proper name.",
    NotSupportedError: "This device cannot make such a passkey. Try your phone or a security key.",
    ConstraintError: "This device cannot check that it is you. Set up a screen lock or a PIN first.",
    TypeError: "The server cannot be reached. Please try again.",
  };
  const UNKNOWN = "This browser does not know passkeys. Use another one, or another way.";
  const FAILED = "That did not work. Please try again, or use another way.";

  class Refused extends Error {}

  const known = Boolean(window.PublicKeyCredential && navigator.credentials);
  let waiting; // the request that stands behind the sign-in field
  const whole = new Promise((done) => {
    document.addEventListener("DOMContentLoaded", done); // with app.js, which is loaded beside
  });

  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));

  function text(buffer) {
    const letters = Array.from(new Uint8Array(buffer), (one) => String.fromCharCode(one)).join("");
    return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  }

  // The server's JSON as the browser wants it, and the browser's answer as JSON. Newer browsers
  // can do both by themselves; these few lines serve the others, too.

  function withBytes(options) {
    const listed = (list = []) => list.map((one) => ({ ...one, id: bytes(one.id) }));
    const made = { ...options, challenge: bytes(options.challenge) };
    if (options.user) made.user = { ...options.user, id: bytes(options.user.id) };
    if (options.allowCredentials) made.allowCredentials = listed(options.allowCredentials);
    if (options.excludeCredentials) made.excludeCredentials = listed(options.excludeCredentials);
    return made;
  }

  function withText(credential) {
    const { id, rawId, type, response } = credential;
    const told = { clientDataJSON: text(response.clientDataJSON) };
    if (response.attestationObject) {
      told.attestationObject = text(response.attestationObject);
      told.transports = response.getTransports?.() ?? [];
    } else {
      told.authenticatorData = text(response.authenticatorData);
      told.signature = text(response.signature);
      told.userHandle = response.userHandle ? text(response.userHandle) : null;
    }
    return { id, rawId: text(rawId), type, response: told };
  }

  async function options(form) {
    const answer = await fetch(form.dataset.options, {
      method: "POST",
      headers: { Accept: "application/json", "X-CSRF-Token": app.csrfToken() },
    });
    if (answer.ok) return withBytes((await answer.json()).publicKey);
    const problem = app.problemOf(await answer.text());
    if (problem.type === "/problems/prove-it-again") {
      location.assign(`/confirm?next=${encodeURIComponent(location.pathname + location.search)}`);
    }
    throw new Refused(problem.detail);
  }

  async function ask(form, more = {}) {
    const wanted = { publicKey: await options(form), ...more };
    return form.dataset.passkey === "create"
      ? navigator.credentials.create(wanted)
      : navigator.credentials.get(wanted);
  }

  function send(form, credential) {
    form.elements.credential.value = JSON.stringify(withText(credential));
    form.submit();
  }

  function tell(form, sentence) {
    const place = form.querySelector("[data-passkey-problem]");
    place.hidden = !sentence;
    place.querySelector("div").textContent = sentence;
  }

  async function use(form, button) {
    tell(form, "");
    waiting?.abort();
    button?.setAttribute("aria-busy", "true");
    try {
      if (!known) throw new Refused(UNKNOWN);
      await whole;
      send(form, await ask(form));
      return; // stays busy until the next page is there
    } catch (error) {
      const refused = error instanceof Refused;
      tell(form, refused ? error.message : (SENTENCES[error.name] ?? FAILED));
    }
    button?.removeAttribute("aria-busy");
    offerInField(form);
  }

  // Passkeys among what the browser offers to fill in, without a click on the button.
  async function offerInField(form) {
    if (!("passkeyInField" in form.dataset)) return;
    if (!(await window.PublicKeyCredential?.isConditionalMediationAvailable?.())) return;
    const mine = (waiting = new AbortController());
    const renew = setTimeout(() => {
      mine.abort();
      offerInField(form);
    }, RENEW_AFTER);
    mine.signal.addEventListener("abort", () => clearTimeout(renew));
    try {
      send(form, await ask(form, { mediation: "conditional", signal: mine.signal }));
    } catch {
      // Nobody asked for it in so many words, so nobody is told. The button tells.
    }
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-passkey]")) return;
    event.preventDefault();
    const button = form.querySelector('button[type="submit"]');
    if (button?.getAttribute("aria-busy") !== "true") use(form, button);
  });

  whole.then(() => {
    for (const form of document.querySelectorAll("form[data-passkey]")) {
      const optional = form.closest("[data-passkey-where-known]");
      if (optional) optional.hidden = !known;
      else if (!known) tell(form, UNKNOWN);
      // Whoever has pressed the button by now is asked by it.
      if (!form.querySelector('[aria-busy="true"]')) offerInField(form);
    }
  });
})();
