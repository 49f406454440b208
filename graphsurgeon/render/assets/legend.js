"use strict";
/* global DATA, tree, made, element, $ */
// Below the picture: what colours and lines mean, signatures, and what was done.

// One entry of the legend: a sample and what it means.
function sample(label, shape, kind) {
  const swatch = element("svg", { class: "swatch", viewBox: "0 0 12 12", width: 12, height: 12 });
  const group = element("g", { class: kind });
  group.append(shape);
  swatch.append(group);
  const entry = made("span");
  entry.append(swatch, label);
  return entry;
}

// The button of what can be opened.
function plus() {
  const button = element("g");
  button.append(element("circle", { cx: 6, cy: 6, r: 5 }), element("path", { d: "M3 6h6M6 3v6" }));
  return button;
}

function legend() {
  const square = () => element("rect", { class: "body", x: 1, y: 1, width: 10, height: 10, rx: 3 });
  const line = () => element("path", { d: "M0 6h12" });
  const used = (labels, found) => Object.entries(labels).filter(([key]) => found.has(key));
  const entries = made("p");
  const marks = new Set(tree.parts.flatMap((part) => part.marks || []));
  for (const [key, label] of used(DATA.labels, new Set(tree.parts.map((part) => DATA.groups[part.family] || part.family)))) {
    entries.append(sample(label, square(), `f-${key}`));
  }
  if (tree.parts.some((part) => part.scope)) entries.append(sample("opens: double click, Enter", plus(), "toggle"));
  for (const [key, label] of used(DATA.markLabels, marks)) entries.append(sample(label, square(), `m-${key}`));
  for (const [key, label] of used(DATA.edgeLabels, new Set(tree.edges.map((edge) => edge.kind)))) {
    entries.append(sample(label, line(), `edge e-${key}`));
  }
  return entries;
}

function foot() {
  const lines = Object.entries(DATA.signatures).map(([key, [inputs, outputs]]) => `${key}: ${inputs.join(", ") || "no inputs"} → ${outputs.join(", ")}`);
  if (DATA.facts.length) lines.unshift(DATA.facts.join(" · "));
  if (DATA.hidden) lines.push(`${DATA.hidden} ${DATA.hidden === 1 ? "node has no box of its" : "nodes have no box of their"} own: folded into others, or left out`);
  $("foot").append(legend(), ...[...lines, ...DATA.notes].map((line) => made("p", line)));
}
