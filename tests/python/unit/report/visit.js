// What a person does on the page of a report, and what it then shows.
(async () => {
  const seen = {};
  const visible = () => [...document.querySelectorAll("#entries tbody tr")].filter((row) => !row.hidden).length;
  const wait = () => new Promise((done) => setTimeout(done, 50));
  try {
    const entity = document.getElementById("entity");
    seen.player = [entity.hidden, entity.querySelector("h2").textContent, entity.querySelectorAll(".court").length];
    seen.factors = [...entity.querySelectorAll("table")].map((table) => [table.parentElement.ariaLabel, table.tBodies[0].rows.length]);
    location.hash = "#team=AAA";
    await wait();
    seen.team = [entity.querySelector("h2").textContent, [...entity.querySelectorAll(".roster a")].map((link) => link.hash)];
    location.hash = "#player=nobody";
    await wait();
    seen.nobody = entity.querySelector("h2").textContent;
    location.hash = "#do";
    await wait();
    seen.closed = entity.hidden;
    const find = document.getElementById("find");
    find.value = "Player Number5";
    find.dispatchEvent(new Event("change"));
    await wait();
    seen.found = [location.hash, entity.querySelector("h2").textContent];

    const form = document.getElementById("filters");
    seen.all = visible();
    for (const [name, value] of [["text", "number3"], ["category", "PROCESSING_ERROR"]]) {
      form.elements[name].value = value;
      if (form.elements[name].value !== value) { seen[name] = "no such choice"; continue; }
      form.dispatchEvent(new Event("input"));
      seen[name] = [visible(), form.elements.shown.value];
    }
    form.reset();
    form.elements.date.value = "2021-10-19";
    form.dispatchEvent(new Event("input"));
    seen.date = visible();
    form.reset();
    form.dispatchEvent(new Event("input"));

    let copied = "";
    Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => { copied = text; } } });
    document.querySelector("#causes").parentElement.previousElementSibling.click();
    await wait();
    seen.copied = copied.split("\r\n");

    const chart = document.querySelector(".calendar");
    const tip = document.getElementById("tip");
    chart.focus();
    seen.focus = document.activeElement === chart;
    const first = chart.querySelector("rect > title").textContent;
    chart.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
    seen.keys = [tip.hidden, tip.textContent === first];
    chart.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
    seen.escaped = tip.hidden;
    seen.unreachable = [...document.querySelectorAll(".scroll")].filter((each) => each.tabIndex < 0).length;
    seen.unnamed = [...document.querySelectorAll("th")].filter((each) => !each.textContent.trim()).length;
    const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter((each) => each.checkVisibility()).map((each) => +each.tagName[1]);
    seen.skipped = levels.filter((level, index) => index && level > levels[index - 1] + 1).length;
  } catch (error) { seen.error = String(error.stack); }
  const out = document.createElement("pre");
  out.id = "seen";
  out.textContent = JSON.stringify(seen);
  document.body.append(out);
})();
