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
  // A tap, too.
  document.addEventListener("click", (event) => {
    const mark = event.target.closest?.(".chart rect, .chart circle");
    const text = mark && say(mark);
    if (text) {
      tip.textContent = text;
      tip.hidden = false;
      place(event);
    }
  });

  // By keyboard: a chart takes the focus, and the arrow keys walk over its marks.
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  for (const chart of document.querySelectorAll("main > section .chart")) {
    const marks = [...chart.querySelectorAll("rect, circle")].filter((mark) => mark.querySelector(":scope > title"));
    if (!marks.length) {
      continue;
    }
    let at = -1;
    const around = chart.parentElement.classList.contains("scroll") ? chart.parentElement : chart;
    around.tabIndex = 0;
    around.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        tip.hidden = true;
      }
      const step = steps[event.key];
      if (!step) {
        return;
      }
      event.preventDefault();
      marks[at]?.classList.remove("at");
      at = Math.min(Math.max(at + step, 0), marks.length - 1);
      marks[at].classList.add("at");
      const { left, bottom } = marks[at].getBoundingClientRect();
      tip.textContent = say(marks[at]);
      tip.hidden = false;
      place({ clientX: left, clientY: bottom });
    });
    around.addEventListener("blur", () => {
      marks[at]?.classList.remove("at");
      tip.hidden = true;
    });
  }

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
})();
