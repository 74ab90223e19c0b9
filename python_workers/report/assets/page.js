"use strict";
// Without this script the page is complete: tooltips are then the browser's own.
(() => {
  const tip = document.getElementById("tip");
  const words = new WeakMap();

  const say = (mark) => {
    const title = mark.querySelector(":scope > title");
    if (title) {
      words.set(mark, title.textContent);
      title.remove();
      mark.setAttribute("aria-label", words.get(mark));
    }
    return words.get(mark);
  };

  const place = (event) => {
    const { width, height } = tip.getBoundingClientRect();
    const right = event.clientX + 14 + width > innerWidth;
    const below = event.clientY + 16 + height > innerHeight;
    const x = right ? event.clientX - 14 - width : event.clientX + 14;
    const y = below ? event.clientY - 14 - height : event.clientY + 16;
    tip.style.left = `${Math.max(4, x)}px`;
    tip.style.top = `${Math.max(4, y)}px`;
  };

  document.addEventListener("pointermove", (event) => {
    const mark = event.target.closest?.(".chart rect, .chart circle");
    const text = mark && say(mark);
    tip.hidden = !text;
    if (text) {
      tip.textContent = text;
      place(event);
    }
  });
  document.addEventListener("pointerleave", () => { tip.hidden = true; });
  document.addEventListener("scroll", () => { tip.hidden = true; }, { capture: true, passive: true });

  const themes = ["auto", "light", "dark"];
  const button = document.getElementById("theme");
  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  let theme = "auto";
  try {
    theme = themes.find((each) => each === localStorage.getItem("backcourt-theme")) ?? "auto";
  } catch { /* Some browsers keep storage from files. */ }
  show(theme);
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    show(theme);
    try {
      localStorage.setItem("backcourt-theme", theme);
    } catch { /* The choice holds until the page is closed. */ }
  });

  const filter = document.getElementById("filter");
  if (filter) {
    const rows = [...document.querySelectorAll("#entries tbody tr")];
    filter.hidden = false;
    filter.addEventListener("input", () => {
      const wanted = filter.value.trim().toLowerCase();
      for (const row of rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
      }
    });
  }
})();
