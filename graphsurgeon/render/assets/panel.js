"use strict";
/* global tree, view, made, element, $, select, toggle, far */
// The panel: all about what is selected. Of a closed layer or block that is what its operations have between them.

const MOST_ROWS = 40; // of one table

function tell() {
  const panel = $("panel");
  panel.hidden = view.selected < 0;
  if (panel.hidden) return;
  const part = tree.parts[view.selected];
  const facts = part.details || {};
  const twin = view.twin > 0 && part.twins ? part.twins[view.twin - 1] : null;
  const name = twin ? twin[0] : facts.name && !part.name.endsWith(facts.name) ? facts.name : part.name;
  const leaves = tree.leaves(part.index).map((index) => tree.parts[index]);
  panel.replaceChildren(made("h2", part.title), named(name));
  for (const line of part.lines) panel.append(made("p", line));
  if (facts.graph) panel.append(made("p", `in function ${facts.graph}`));
  if (facts.device) panel.append(made("p", `on ${facts.device}`));
  table(panel, "What it was", facts.former);
  if (part.twins) panel.append(chooser(part));
  if (part.scope) panel.append(action(tree.isOpen(part.index) ? "Close (Enter)" : "Open (Enter)", () => toggle(part.index)));
  panel.append(action("Depends on (u)", () => far("up")), action("Is needed by (d)", () => far("down")));
  if (part.scope) tellInside(panel, part, leaves);
  else {
    table(panel, "Attributes", facts.attributes);
    table(panel, "Inputs", facts.inputs);
    table(panel, "Outputs", facts.outputs);
  }
  weights(panel, part, leaves);
  folded(panel, leaves);
  neighbours(panel, "Reads from", false);
  neighbours(panel, "Feeds", true);
}

// What a closed scope is about: the attributes of its one product, what crosses its border, its operations.
function tellInside(panel, part, leaves) {
  const main = tree.parts[part.main];
  if (main?.details) table(panel, `Attributes of ${main.details.op}`, main.details.attributes);
  table(panel, "Inputs", crossing(part.index, false));
  table(panel, "Outputs", crossing(part.index, true));
  const counts = new Map();
  for (const leaf of leaves) if (leaf.details) counts.set(leaf.details.op, (counts.get(leaf.details.op) || 0) + 1);
  const times = part.count > 1 ? " of one" : "";
  table(panel, `Operations inside${times}`, [...counts].sort((a, b) => b[1] - a[1]).map(([op, count]) => [op, String(count)]));
}

// The values that enter or leave a scope, with dtype and shape, each once.
function crossing(index, forward) {
  const found = new Map();
  for (const edge of tree.reach(index, forward, false).edges) {
    const source = tree.parts[edge.source].details?.outputs || [];
    for (const value of edge.values.length ? edge.values : [tree.parts[edge.source].title]) {
      const row = source.find(([name]) => name === value);
      if (!found.has(value)) found.set(value, row ? row : [value, edge.label]);
    }
  }
  return [...found.values()];
}

// Which of the equal blocks is told of, where one is drawn for several.
function chooser(part) {
  const all = part.twins.length + 1;
  const line = made("p", `One box for ${all} equal ones: `);
  const list = made("select", "", { "aria-label": "Which of the equal ones" });
  const names = [part.details?.name || part.name, ...part.twins.map((twin) => twin[0])];
  const shared = shorter(names);
  names.forEach((name, place) => list.append(made("option", `${place + 1} of ${all}: ${name.slice(shared)}`, { value: place })));
  list.value = String(Math.max(view.twin, 0));
  list.addEventListener("change", () => {
    view.twin = Number(list.value);
    tell();
    $("panel").querySelector("select").focus();
  });
  line.append(list);
  return line;
}

// How many characters of names, whole scopes of them, are the same.
function shorter(names) {
  const [first] = names;
  let length = 0;
  while (length < first.length && names.every((name) => name[length] === first[length])) length += 1;
  return first.lastIndexOf("/", length - 1) + 1;
}

function weights(panel, part, leaves) {
  const rows = new Map();
  for (const leaf of leaves) {
    const twin = view.twin > 0 && leaf.twins && leaf.twins.length === part.twins?.length ? leaf.twins[view.twin - 1] : null;
    for (const row of (twin ? twin[1] : leaf.details?.weights) || []) rows.set(row[0], row);
  }
  if (!rows.size) return;
  panel.append(made("h3", rows.size > 1 ? `Weights: ${rows.size}` : "Weights"));
  for (const row of [...rows.values()].slice(0, MOST_ROWS)) panel.append(weight(row));
  if (rows.size > MOST_ROWS) panel.append(made("p", `${rows.size - MOST_ROWS} more`));
}

function weight([name, dtype, shape, statistics, key, histogram]) {
  const block = made("div", "", { class: "weight" });
  block.append(named(name), made("p", `${dtype} ${shape}`.trim()));
  if (key) block.append(made("p", key, { class: "faint" }));
  if (histogram) block.append(bars(histogram));
  if (statistics) block.append(made("p", statistics));
  return block;
}

function bars([low, high, ...counts]) {
  const most = Math.max(...counts);
  const label = `Histogram from ${low} to ${high}, ${counts.length} steps, at most ${most} in one`;
  const picture = element("svg", { class: "histogram", viewBox: `0 0 ${counts.length * 10} 40`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  counts.forEach((count, place) => {
    const height = count ? Math.max((count / most) * 38, 1) : 0;
    const bar = element("rect", { x: place * 10, y: 40 - height, width: 9, height });
    bar.append(element("title", {}, `${place + 1}: ${count}`));
    picture.append(bar);
  });
  return picture;
}

function folded(panel, leaves) {
  const names = leaves.flatMap((leaf) => tree.folded.get(leaf.index) || []);
  if (!names.length) return;
  const list = made("details");
  list.append(made("summary", `${names.length} ${names.length === 1 ? "node" : "nodes"} folded into it`));
  for (const name of names.slice(0, 10 * MOST_ROWS)) list.append(made("p", name));
  panel.append(list);
}

function named(name) {
  const line = made("p", name);
  const button = made("button", "copy", { class: "copy", type: "button", "aria-label": `Copy the name ${name}` });
  button.addEventListener("click", async () => {
    await copy(name);
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
  line.append(" ", button);
  return line;
}

// Pages that are no secure place have no clipboard; a selection can be copied there still.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.body.appendChild(made("textarea", text));
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function action(text, run) {
  const button = made("button", text, { class: "tool", type: "button" });
  button.addEventListener("click", run);
  return button;
}

function table(panel, title, rows) {
  if (!rows || !rows.length) return;
  panel.append(made("h3", title));
  const body = made("table");
  for (const [name, ...rest] of rows.slice(0, MOST_ROWS)) {
    const row = made("tr");
    row.append(made("td", name), made("td", rest.filter(Boolean).join("  ")));
    body.append(row);
  }
  panel.append(body);
  if (rows.length > MOST_ROWS) panel.append(made("p", `${rows.length - MOST_ROWS} more`));
}

function neighbours(panel, title, forward) {
  const found = new Set();
  for (const edge of tree.reach(view.selected, forward, false).edges) found.add(tree.shown(forward ? edge.target : edge.source));
  found.delete(tree.shown(view.selected));
  if (!found.size) return;
  panel.append(made("h3", title));
  for (const index of [...found].slice(0, MOST_ROWS)) {
    const part = tree.parts[index];
    const line = made("p");
    const link = made("button", part.scope ? part.title : `${part.title}  ${part.name.split("/").slice(-2).join("/")}`, { class: "link", type: "button" });
    link.addEventListener("click", () => select(index, true));
    line.append(link);
    panel.append(line);
  }
}
