"use strict";
// The pages of players and teams: #player=LOOKUP and #team=ABC.
(() => {
  const data = JSON.parse(document.getElementById("entities").textContent);
  const section = document.getElementById("entity");
  const { titles } = data;
  const zones = ["Paint", "Mid-range", "Three"];
  const svgName = "http://www.w3.org/2000/svg";

  const make = (name, attributes = {}, ...children) => {
    const isSvg = ["svg", "path", "text", "rect", "circle", "tspan"].includes(name);
    const node = isSvg ? document.createElementNS(svgName, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  };
  const number = (value, digits = 1) => (value === null || value === undefined ? "" : value.toFixed(digits));
  const signed = (value) => (value === null ? "" : `${value > 0 ? "+" : value < 0 ? "\u2212" : ""}${Math.abs(value).toFixed(1)}`);
  const less = (one, other) => (one === null || one === undefined || other === null || other === undefined ? null : one - other);

  // A line breaks between the options of a command, not within a date.
  const isCommand = (text) => text.startsWith("backcourt ");
  const command = (text) => {
    const [first, ...options] = text.split(" --");
    return make("code", {}, first, ...options.flatMap((option) => [" ", make("span", { class: "nowrap" }, `--${option}`)]));
  };

  const table = (label, headings, rows) => {
    const isNumber = (column) => rows.every((row) => row[column] === "" || /^[\u2212+-]?[\d.]+$/.test(row[column])) && rows.some((row) => row[column] !== "");
    const right = headings.map((_, column) => column > 0 && isNumber(column));
    const cell = (value, column) => make(column ? "td" : "th", {
      ...(column ? {} : { scope: "row" }),
      class: right[column] ? "n" : isCommand(value) ? "command" : value.length > 40 ? "reason" : "nowrap",
    }, isCommand(value) ? command(value) : value);
    return make("div", { class: "scroll sheet", tabindex: "0", role: "group", "aria-label": label },
      make("table", {},
        make("thead", {}, make("tr", {}, ...headings.map((name, column) => make("th", right[column] ? { class: "n" } : {}, name)))),
        make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell))))));
  };

  // Feet, the hoop at (25, 5.25): the paint, inside the arc, outside of it.
  const outlines = {
    Three: "M0 0H50V38H0Z M3 0V14A23.75 23.75 0 0 0 47 14V0Z",
    "Mid-range": "M3 0V14A23.75 23.75 0 0 0 47 14V0Z M17 0V19H33V0Z",
    Paint: "M17 0V19H33V0Z",
  };
  const places = { Paint: [25, 11], "Mid-range": [25, 23], Three: [25, 32.4] };
  const court = (label, values) => {
    // values: by zone, the percentage, its difference from the league, and a remark.
    const parts = [];
    zones.forEach((zone, index) => {
      const { difference, better } = values[index];
      const shade = difference === null ? 0 : Math.min(Math.round((Math.abs(difference) / 8) * 5), 5);
      const side = (difference > 0) === better ? "strong" : "weak";
      parts.push(make("path", { d: outlines[zone], "fill-rule": "evenodd", class: `court d-${side}-${shade}` }));
    });
    parts.push(make("circle", { cx: 25, cy: 5.25, r: 0.75, class: "line" }), make("path", { d: "M22 4H28M19 19A6 6 0 0 0 31 19", class: "line" }));
    zones.forEach((zone, index) => {
      const [x, y] = places[zone];
      const { main, remark, difference } = values[index];
      const deep = difference !== null && Math.abs(difference) >= 7.2 ? " deep" : "";
      parts.push(make("text", { x, y: y - 1.5, class: `zone${deep}`, "text-anchor": "middle" }, `${zone} ${main}`));
      parts.push(make("text", { x, y: y + 0.7, class: `zone small${deep}`, "text-anchor": "middle" }, remark));
    });
    return make("svg", { viewBox: "-0.3 -0.3 50.6 38.6", role: "img", "aria-label": label, class: "chart half-court" }, ...parts);
  };

  const missing = (text) => make("p", { class: "empty" }, text);
  const heading = (text, remark) => make("h3", {}, text, ...(remark ? [" ", make("small", {}, remark)] : []));

  const accounting = (found) => {
    const order = Object.keys(titles);
    const all = [
      ...(found.rows ?? []).map(([key, count, first, last]) => [key, "row", count, first, last, "", ""]),
      ...(found.failures ?? []).map(([key, category, count, first, last, reason]) =>
        [key, category, count, first, last, reason, reason ? `backcourt backfill --start ${first} --end ${last}` : ""]),
    ];
    all.sort((a, b) => order.indexOf(a[0]) - order.indexOf(b[0]));
    return [
      heading("Rows and failures", "dates of the report's range by outcome; the command computes a failure's dates once the data is right"),
      table("Rows and failures", ["processor", "outcome", "dates", "first", "last", "why", "then run"],
        all.map(([key, outcome, count, ...others]) => [titles[key] ?? key, outcome, String(count), ...others])),
    ];
  };

  const player = (lookup, found) => {
    const parts = [];
    if (found.zones) {
      const [position, day, season, games, shots, primary, ...rates] = found.zones;
      const league = data.league[season] ?? [];
      const values = zones.map((_, index) => {
        const share = rates[2 * index];
        const made = rates[2 * index + 1] === null ? null : 100 * rates[2 * index + 1];
        const difference = less(made, league[2 * index + 1]);
        return {
          main: made === null ? "no attempt" : `${number(made)} % (${signed(difference)})`,
          remark: share === null ? "" : `${number(share)} % of attempts (${signed(less(share, league[2 * index]))})`,
          difference,
          better: true,
        };
      });
      parts.push(heading("Shot zones", `${shots ?? 0} attempts in ${games} games before ${day}; in brackets the points by which he is above or below the league of the season${primary ? `; primary zone ${primary.replace("_", "-")}` : ""}${position ? `; position ${position}` : ""}`),
        court(`Shooting by zone against the league: ${zones.map((zone, index) => `${zone} ${values[index].main}`).join(", ")}`, values));
    } else {
      parts.push(heading("Shot zones"), missing("No row of shot zones in this range."));
    }
    if (found.form) {
      const [team, day, games, last, season, minutes, usage, shooting] = found.form;
      parts.push(heading("Form", `on the morning of ${day}, of ${team}`), table("Form", ["games this season", "points, last 10", "points, season", "minutes, last 10", "usage %, last 10", "true shooting, last 10"], [[String(games), number(last), number(season), number(minutes), number(usage), number(shooting, 3)]]));
    }
    if (found.factors) {
      parts.push(heading("Factors", "the latest"), table("Factors", ["date", "team", "against", "fatigue", "shot zone mismatch", "pace", "usage spike", "adjustment"],
        found.factors.map(([team, against, day, fatigue, mismatch, pace, usage, total]) => [day, team, against, String(fatigue ?? ""), number(mismatch), number(pace), number(usage), number(total)])));
    }
    return [found.name ?? lookup, `${lookup}, id ${found.id ?? "unknown"}`, parts];
  };

  const team = (name, found) => {
    const parts = [];
    if (found.defence) {
      const [day, games, rating, ...allowed] = found.defence;
      const values = zones.map((_, index) => ({
        main: allowed[2 * index] === null ? "unknown" : `${number(100 * allowed[2 * index])} % (${signed(allowed[2 * index + 1])})`,
        remark: "allowed",
        difference: allowed[2 * index + 1],
        better: false,
      }));
      parts.push(heading("Defence by zone", `${games} games before ${day}; defensive rating ${number(rating)}; in brackets the points against the league`),
        court(`Shooting allowed by zone: ${zones.map((zone, index) => `${zone} ${values[index].main}`).join(", ")}`, values));
    } else {
      parts.push(heading("Defence by zone"), missing("No row of team defence in this range."));
    }
    const roster = Object.entries(data.players).filter(([, each]) => (each.factors?.[0]?.[0] ?? each.form?.[0]) === name);
    if (roster.length) {
      const list = make("p", { class: "roster" });
      for (const [lookup, each] of roster) {
        list.append(make("a", { href: `#player=${encodeURIComponent(lookup)}` }, each.name ?? lookup), " ");
      }
      parts.push(heading("Players", "by the team of their latest row"), list);
    }
    return [name, "team", parts];
  };

  const show = () => {
    const [, kind, key] = /^#(player|team)=(.+)$/.exec(location.hash) ?? [];
    section.hidden = !kind;
    section.replaceChildren();
    if (!kind) {
      return;
    }
    let wanted = key;
    try { wanted = decodeURIComponent(key); } catch { /* An odd address is taken as it is. */ }
    const group = kind === "team" ? data.teams : data.players;
    if (!Object.hasOwn(group, wanted)) {
      section.append(make("h2", {}, `No ${kind} ${wanted}`), missing(`The range of this report has neither a row nor a failure of ${wanted}.`));
    } else {
      const found = group[wanted];
      const [name, remark, parts] = kind === "team" ? team(wanted, found) : player(wanted, found);
      const close = make("a", { href: "#do", class: "close" }, "Close");
      section.append(make("h2", {}, name, " ", make("small", {}, remark)), close, ...parts, ...accounting(found));
      window.backcourtTables(section);
    }
    section.scrollIntoView();
    section.focus({ preventScroll: true });
  };
  addEventListener("hashchange", show);
  show();

  const find = document.getElementById("find");
  const names = document.getElementById("names");
  const addresses = new Map();
  for (const name of Object.keys(data.teams)) {
    addresses.set(name.toLowerCase(), `#team=${encodeURIComponent(name)}`);
    names.append(make("option", { value: name }));
  }
  for (const [lookup, each] of Object.entries(data.players)) {
    const address = `#player=${encodeURIComponent(lookup)}`;
    const isTaken = each.name && addresses.has(each.name.toLowerCase());
    addresses.set(lookup, address);
    if (each.name && !isTaken) {
      addresses.set(each.name.toLowerCase(), address);
    }
    names.append(make("option", { value: isTaken || !each.name ? lookup : each.name }));
  }
  find.hidden = false;
  find.addEventListener("change", () => {
    const wanted = find.value.trim().toLowerCase();
    const near = [...addresses.keys()].filter((name) => name.includes(wanted));
    const address = addresses.get(wanted) ?? (wanted && near.length ? addresses.get(near[0]) : null);
    if (address) {
      location.hash = address;
    }
  });
})();
