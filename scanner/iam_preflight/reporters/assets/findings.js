// Filters the list of findings. Without scripts all of them are simply there.
(function () {
  "use strict";
  const list = document.getElementById("findings-list");
  if (!list) return;
  const search = document.getElementById("find");
  const rule = document.getElementById("by-rule");
  const practice = document.getElementById("by-practice");
  const environment = document.getElementById("by-environment");
  const severities = Array.from(document.querySelectorAll("[data-filter=severity]"));
  const told = document.getElementById("find-count");
  const findings = Array.from(list.querySelectorAll(".finding")).map(function (element) {
    return { element: element, text: element.textContent.toLowerCase() };
  });
  const headings = Array.from(list.querySelectorAll("[data-group]"));

  function apply() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(severities.filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    for (const finding of findings) {
      const data = finding.element.dataset;
      const fits =
        wanted.has(data.severity) &&
        (!rule.value || data.rule === rule.value) &&
        (!practice.value || data.practice === practice.value) &&
        (!environment.value || data.environment === environment.value) &&
        words.every((word) => finding.text.includes(word));
      finding.element.classList.toggle("hidden", !fits);
      if (fits) shown += 1;
    }
    for (const heading of headings) {
      const any = heading.querySelector(".finding:not(.hidden)");
      heading.classList.toggle("hidden", !any);
    }
    told.textContent = shown + " of " + findings.length;
  }

  for (const input of [search, rule, practice, environment].concat(severities)) {
    input.addEventListener("input", apply);
  }
  document.getElementById("open-all").addEventListener("click", function () {
    const all = list.querySelectorAll(".finding:not(.hidden) details");
    const open = Array.from(all).some((one) => !one.open);
    for (const one of all) one.open = open;
  });
  for (const card of document.querySelectorAll("[data-show-practice]")) {
    card.addEventListener("click", function () {
      practice.value = card.dataset.showPractice;
      apply();
      document.getElementById("findings").scrollIntoView();
    });
  }

  // A link to a finding opens it.
  function openTarget() {
    const id = location.hash.slice(1);
    const target = id && document.getElementById(id);
    const details = target && target.querySelector("details");
    if (details) {
      target.classList.remove("hidden");
      details.open = true;
      target.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", openTarget);
  openTarget();
  apply();
})();
