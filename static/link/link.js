// The little that pages need beyond htmx and Tabler. Behaviour is asked for by attributes:
//   data-select-all="name"  a checkbox that ticks every checkbox of that name in its form
//   data-selection="name"   an element of that form that is told how many are ticked
//   data-needs-selection="name"  a button that works only while one is ticked; with
//   data-needs-group="group"     only while one of that data-group is
//   data-whole-list="words" a checkbox that stands for every row of every page, and what they are
//   data-sums="name"        an element of that form that is told how many are ticked and their sums,
//                           from data-currency, data-net and data-total of the checkboxes
//   data-keeps-ticks        a part of a page that htmx replaces: ticks and open details stay
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
    const whole = form.querySelector("[data-whole-list]");
    const all = whole && whole.checked;
    form.querySelectorAll("[data-needs-selection]").forEach((button) => {
      const group = button.dataset.needsGroup;
      button.disabled = !all && !boxes(form, button.dataset.needsSelection).some(
        (box) => box.checked && (!group || box.dataset.group === group)
      );
    });
    form.querySelectorAll("[data-sums]").forEach((place) => {
      const words = all ? whole.dataset.wholeList : sums(boxes(form, place.dataset.sums));
      if (place.textContent !== words) place.textContent = words;
    });
    form.dispatchEvent(new CustomEvent("link:selection", { bubbles: true }));
  }

  // Amounts are added in cents: whole numbers, so never off by one.
  function cents(amount) {
    return Number(amount.replace(".", ""));
  }

  function money(amount) {
    const digits = String(Math.abs(amount)).padStart(3, "0");
    const whole = digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ",");
    return (amount < 0 ? "-" : "") + whole + "." + digits.slice(-2);
  }

  function sums(every) {
    const ticked = every.filter((box) => box.checked);
    if (!ticked.length) return "Nothing selected";
    const found = new Map();
    ticked.forEach((box) => {
      if (!box.dataset.currency) return;
      const sum = found.get(box.dataset.currency) || { net: 0, total: 0 };
      sum.net += cents(box.dataset.net);
      sum.total += cents(box.dataset.total);
      found.set(box.dataset.currency, sum);
    });
    const parts = Array.from(found.keys()).sort().map((currency) => {
      const sum = found.get(currency);
      return currency + " " + money(sum.net) + " excl tax, " + money(sum.total) + " incl tax";
    });
    return ticked.length + " selected: " + parts.join("; ");
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
    // Every row of every page: those that are seen show it, and one taken back is not all.
    const whole = form.querySelector("[data-whole-list]");
    if (whole && changed === whole && whole.checked) {
      form.querySelectorAll("[data-select-all]").forEach((all) => {
        boxes(form, all.dataset.selectAll).forEach((box) => { box.checked = true; });
      });
    } else if (whole && changed.type === "checkbox" && !changed.checked) {
      whole.checked = false;
    }
    if (changed.type === "checkbox") refresh(form);
    if (changed.matches("[data-autosubmit]")) form.requestSubmit();
  });

  // Enter on a checkbox would send its form by the first button: nobody uploads that way.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches('input[type="checkbox"]')) event.preventDefault();
  });

  // What a person has ticked and opened outlives the replacing of the part of the page it is in.
  let kept = null;

  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    if (!part.matches("[data-keeps-ticks]")) return;
    const ids = (selector) => Array.from(part.querySelectorAll(selector)).map((one) => one.id);
    kept = { ticked: ids("input:checked"), open: ids("details[open]") };
  });

  document.addEventListener("htmx:afterSwap", () => {
    if (!kept) return;
    const each = (ids, act) => ids.map((id) => document.getElementById(id)).filter(Boolean).forEach(act);
    each(kept.ticked, (box) => { box.checked = true; });
    each(kept.open, (details) => { details.open = true; });
    kept = null;
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
