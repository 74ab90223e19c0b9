"use strict";
// Filters of the entries to investigate, and copies of tables as CSV.
(() => {
  const form = document.getElementById("filters");
  if (form) {
    const rows = [...document.querySelectorAll("#entries tbody tr")];
    const fields = form.elements;
    const apply = () => {
      const text = fields.text.value.trim().toLowerCase();
      const date = fields.date.value;
      let shown = 0;
      for (const row of rows) {
        const of = row.dataset;
        row.hidden = !(
          row.textContent.toLowerCase().includes(text)
          && ["category", "processor", "team"].every((name) => !fields[name].value || of[name] === fields[name].value)
          && (!fields.season.value || of.season.split(" ").includes(fields.season.value))
          && (!date || (of.first <= date && date <= of.last))
        );
        shown += !row.hidden;
      }
      fields.shown.value = `${shown} of ${rows.length}`;
    };
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    apply();
  }

  const quoted = (text) => {
    const plain = text.replace(/\s+/g, " ").trim();
    // A spreadsheet would run a text that begins like a formula.
    const safe = /^[=+@-]/.test(plain) && !/^[-+]?[\d.,]+( %)?$/.test(plain) ? `'${plain}` : plain;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const cells = (row) => [...row.cells].flatMap((cell) => [
    // Thousands separators are for eyes.
    cell.classList.contains("n") ? cell.textContent.replace(/(?<=\d),(?=\d{3})/g, "") : cell.textContent,
    ...Array(cell.colSpan - 1).fill(""),
  ]);
  const csv = (table) => [...table.rows]
    .filter((row) => !row.hidden)
    .map((row) => cells(row).map(quoted).join(","))
    .join("\r\n");

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch { /* Some browsers keep the clipboard from files. */ }
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "sr";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  };

  window.backcourtTables = (root) => {
    for (const sheet of root.querySelectorAll(".sheet")) {
      const table = sheet.querySelector("table");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy as CSV";
      button.setAttribute("aria-label", `Copy as CSV: ${sheet.getAttribute("aria-label") ?? "table"}`);
      button.addEventListener("click", async () => {
        const done = await copy(csv(table));
        button.textContent = done ? `Copied ${table.tBodies[0] ? [...table.tBodies[0].rows].filter((row) => !row.hidden).length : 0} rows` : "The browser refuses to copy";
        setTimeout(() => { button.textContent = "Copy as CSV"; }, 2500);
      });
      sheet.before(button);
    }
  };
  window.backcourtTables(document);
})();
