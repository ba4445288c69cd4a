// The little that pages need beyond htmx and Tabler. Behaviour is asked for by attributes:
//   data-select-all="name"  a checkbox that ticks every checkbox of that name in its form
//   data-selection="name"   an element of that form that is told how many are ticked
//   data-needs-selection="name"  a button that works only while one is ticked
//   data-confirm="text"     a form or button that asks first
//   data-copy="#id"         a button that copies the text of that element
//   data-autosubmit         a control that sends its form when changed
(function () {
  "use strict";

  function boxes(form, name) {
    return Array.from(form.querySelectorAll('input[type="checkbox"]')).filter(
      (box) => box.name === name && !box.disabled
    );
  }

  function refresh(form) {
    form.querySelectorAll("[data-select-all]").forEach((all) => {
      const every = boxes(form, all.dataset.selectAll);
      const ticked = every.filter((box) => box.checked).length;
      all.checked = every.length > 0 && ticked === every.length;
      all.indeterminate = ticked > 0 && ticked < every.length;
    });
    form.querySelectorAll("[data-selection]").forEach((place) => {
      const ticked = boxes(form, place.dataset.selection).filter((box) => box.checked);
      place.textContent = String(ticked.length);
    });
    form.querySelectorAll("[data-needs-selection]").forEach((button) => {
      button.disabled = !boxes(form, button.dataset.needsSelection).some((box) => box.checked);
    });
    form.dispatchEvent(new CustomEvent("link:selection", { bubbles: true }));
  }

  function refreshAll() {
    const marks = "[data-select-all], [data-selection], [data-needs-selection]";
    new Set(Array.from(document.querySelectorAll(marks)).map((one) => one.form || one.closest("form")))
      .forEach((form) => form && refresh(form));
  }

  document.addEventListener("change", (event) => {
    const changed = event.target;
    const form = changed.form;
    if (!form) return;
    if (changed.matches("[data-select-all]")) {
      boxes(form, changed.dataset.selectAll).forEach((box) => { box.checked = changed.checked; });
    }
    if (changed.type === "checkbox") refresh(form);
    if (changed.matches("[data-autosubmit]")) form.requestSubmit();
  });

  document.addEventListener("submit", (event) => {
    const asker = event.submitter && event.submitter.dataset.confirm ? event.submitter : event.target;
    const question = asker.dataset.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = document.querySelector(button.dataset.copy).textContent.trim();
    navigator.clipboard.writeText(text).then(() => { button.textContent = "Copied"; });
  });

  document.addEventListener("DOMContentLoaded", refreshAll);
  window.addEventListener("pageshow", refreshAll);
  document.addEventListener("htmx:afterSettle", refreshAll);
})();
