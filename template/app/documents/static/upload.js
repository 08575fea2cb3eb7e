// A form with data-upload sends its file to the API, shows how far it is, and says what was refused.
"use strict";

(() => {
  const UNREACHABLE = "The server cannot be reached. Please try again.";
  const TOO_OLD = "The page is too old; load it again and repeat what you did.";

  function refusal(request) {
    try {
      const problem = JSON.parse(request.responseText);
      return problem.type === "/problems/forged-request" ? TOO_OLD : problem.detail;
    } catch {
      return UNREACHABLE;
    }
  }

  // Fields first, then the file: the server reads them in this order.
  function inOrder(form) {
    const given = new FormData(form);
    const file = given.get("file");
    given.delete("file");
    given.delete("csrf_token");
    given.append("file", file);
    return given;
  }

  function send(form) {
    const button = form.querySelector("button[type=submit], button:not([type])");
    const state = form.querySelector("[data-upload-state]");
    const words = form.querySelector("[data-upload-words]");
    const error = form.querySelector("[data-upload-error]");
    const progress = state.querySelector("progress");
    const request = new XMLHttpRequest();

    function end(sentence) {
      button.disabled = false;
      button.removeAttribute("aria-busy");
      state.hidden = true;
      error.hidden = !sentence;
      error.lastElementChild.textContent = sentence;
    }

    error.hidden = true;
    state.hidden = false;
    button.disabled = true;
    progress.value = 0;
    words.textContent = "Uploading …";
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      progress.value = event.loaded / event.total;
      const percent = Math.floor((100 * event.loaded) / event.total);
      words.textContent = percent < 100 ? `${percent} % uploaded` : "Uploaded, being checked …";
    });
    request.addEventListener("load", () => {
      if (request.status !== 201) return end(refusal(request));
      location.href = `/documents/${JSON.parse(request.responseText).id}`;
    });
    request.addEventListener("error", () => end(UNREACHABLE));
    request.open("POST", form.dataset.upload);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRF-Token", form.elements.csrf_token.value);
    request.send(inOrder(form));
  }

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-upload]");
    if (!form) return;
    event.preventDefault();
    send(form);
  });
})();
