"use strict";
/* global tree, made, $, select, focusOn, canvas */
// Search: boxes, weights, nodes that are folded into others, and what stands behind a `×N`. A text is looked for
// anywhere; `*` and `?` make it a glob over whole names or their ends, and `/.../` a regular expression.

const MOST_RESULTS = 60;

class Finder {
  constructor(tree) {
    this.tree = tree;
    this.entries = null;
  }

  // All that has a name: what it is called, the part to go to, which of its twins, and what to say of it.
  all() {
    if (this.entries) return this.entries;
    const found = [];
    const add = (name, part, note = "", twin = 0, other = "") => {
      const names = [name, ...(other || "").split(" · ").filter(Boolean)];
      found.push({ name, part, note, twin, names, low: names.map((one) => one.toLowerCase()) });
    };
    for (const part of this.tree.parts) {
      const facts = part.details;
      add(part.name, part, "", 0, part.title);
      if (facts && facts.name !== part.name && !part.name.endsWith(facts.name)) add(facts.name, part);
      if (facts && facts.op !== part.title) found.at(-1).op = facts.op.toLowerCase();
      for (const row of facts?.weights || []) add(row[0], part, `weight of ${part.title}`, 0, row[4]);
      (part.twins || []).forEach(([name, rows], place) => {
        const nth = `${place + 2} of ${part.twins.length + 1} like ${part.title}`;
        add(name, part, nth, place + 1);
        for (const row of rows || []) add(row[0], part, `weight of ${nth}`, place + 1, row[4]);
      });
      for (const name of this.tree.folded.get(part.index) || []) add(name, part, `folded into ${part.title}`);
    }
    this.entries = found;
    return found;
  }

  // Returns what matches, the best first; null for a regular expression that is none.
  find(text) {
    const wanted = text.trim();
    if (!wanted) return [];
    const rank = ranking(wanted);
    if (!rank) return null;
    const hits = [];
    for (const entry of this.all()) {
      const place = rank(entry);
      if (place >= 0) hits.push({ place: place + (entry.note ? 0.5 : 0), entry });
    }
    hits.sort((a, b) => a.place - b.place || a.entry.name.length - b.entry.name.length || a.entry.part.at - b.entry.part.at);
    return distinct(hits.map((hit) => hit.entry));
  }
}

// A weight that several boxes use, a name that stands for both a node and its weight: each is told once.
function distinct(entries) {
  const seen = new Set();
  return entries.filter((entry) => {
    const key = `${entry.name} ${entry.part.index} ${entry.twin}`;
    return !seen.has(key) && seen.add(key);
  });
}

// Returns what says how well an entry fits, 0 the best, -1 not at all.
function ranking(wanted) {
  const pattern = expression(wanted);
  if (pattern === null) return null;
  if (pattern) return (entry) => (entry.names.some((name) => pattern.test(name)) ? 2 : -1);
  const low = wanted.toLowerCase();
  return (entry) => {
    const own = entry.low[0].slice(entry.low[0].lastIndexOf("/") + 1);
    if (own === low || entry.low.includes(low)) return 0;
    if (own.startsWith(low) || entry.low.some((name, place) => place && name.startsWith(low)) || entry.op === low) return 1;
    return entry.low.some((name) => name.includes(low)) || entry.op?.includes(low) ? 2 : -1;
  };
}

// The regular expression that a text stands for: undefined for a plain text, null for a broken one.
function expression(wanted) {
  const isRegular = wanted.length > 2 && wanted.startsWith("/") && wanted.endsWith("/");
  if (!isRegular && !/[*?]/.test(wanted)) return undefined;
  try {
    if (isRegular) return new RegExp(wanted.slice(1, -1), "i");
    const parts = wanted.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".");
    return new RegExp(`(^|/)${parts}$`, "i");
  } catch {
    return null;
  }
}

function showResults(finder) {
  const list = $("results");
  const text = $("search").value;
  const found = finder.find(text);
  list.hidden = !text.trim();
  list.replaceChildren();
  for (const entry of (found || []).slice(0, MOST_RESULTS)) list.append(result(entry));
  const rest = found === null ? "this is no regular expression" : !found.length ? "nothing found" : found.length > MOST_RESULTS ? `${found.length - MOST_RESULTS} more` : "";
  if (rest) list.append(made("li", rest));
}

function result(entry) {
  const item = made("li");
  const button = made("button", entry.note ? entry.name : entry.part.title, { type: "button" });
  button.append(made("br"), made("small", entry.note || entry.name));
  button.addEventListener("click", () => {
    $("results").hidden = true;
    select(entry.part.index, true, entry.twin);
    focusOn(entry.part.index);
  });
  item.append(button);
  return item;
}

function searchKeys(event) {
  const buttons = [...$("results").querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  if (event.key === "Enter" && at < 0 && buttons.length) buttons[0].click();
  else if (event.key === "ArrowDown" && buttons.length) buttons[Math.min(at + 1, buttons.length - 1)].focus();
  else if (event.key === "ArrowUp") (at > 0 ? buttons[at - 1] : $("search")).focus();
  else if (event.key === "Escape") {
    $("results").hidden = true;
    canvas.focus();
  } else return;
  event.preventDefault();
}
