"use strict";
// Draws what has been arranged as SVG elements. Texts of the model become text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const LINE = 15;

function element(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

class Painter {
  constructor(tree, scene) {
    this.tree = tree;
    this.scene = scene;
    this.drawn = new Map();
    this.edges = [];
  }

  paint(layout) {
    this.drawn.clear();
    this.edges = [];
    const frames = element("g");
    const edges = element("g");
    const boxes = element("g");
    for (const [index, place] of layout.frames) frames.append(this.frame(this.tree.parts[index], place));
    for (const segment of layout.segments) edges.append(this.segment(segment));
    for (const [index, place] of layout.boxes) boxes.append(this.box(this.tree.parts[index], place));
    this.scene.replaceChildren(frames, edges, boxes);
  }

  frame(part, place) {
    const group = element("g", { class: `frame k-${part.kind}`, "data-part": part.index, id: part.id });
    group.append(element("title", {}, part.name), element("rect", { class: "outline", ...corner(place), rx: 8 }));
    group.append(element("text", { x: place.x + 28, y: place.y + 17 }, part.frame), this.toggle(part, place.x + 15, place.y + 13, true));
    this.drawn.set(part.index, group);
    return group;
  }

  box(part, place) {
    const classes = ["box", `k-${part.kind}`, `f-${part.family}`, ...(part.marks || []).map((mark) => `m-${mark}`)];
    const group = element("g", {
      class: classes.join(" "), "data-part": part.index, id: part.id, tabindex: 0, role: "button",
      "aria-label": [part.title, ...part.lines].join(", "),
    });
    group.append(element("title", {}, [part.name, ...part.lines].join("\n")));
    if (part.scope || part.count > 1) group.append(element("rect", { class: "body", ...corner({ ...place, x: place.x + 3, y: place.y + 3 }), rx: 5 }));
    const isEnd = part.kind === "input" || part.kind === "output";
    group.append(element("rect", { class: "body", ...corner(place), rx: isEnd ? place.height / 2 : 5 }));
    const middle = place.x + place.width / 2;
    const top = place.y + (place.height - LINE * (1 + part.lines.length)) / 2 + LINE - 3.5;
    group.append(element("text", { class: "title", x: middle, y: top, "text-anchor": "middle" }, part.title));
    part.lines.forEach((line, number) => {
      group.append(element("text", { x: middle, y: top + (number + 1) * LINE, "text-anchor": "middle" }, line));
    });
    if (part.scope) group.append(this.toggle(part, place.x + place.width - 11, place.y + 11, false));
    this.drawn.set(part.index, group);
    return group;
  }

  toggle(part, x, y, open) {
    const group = element("g", { class: "toggle", "data-toggle": part.index });
    group.append(element("title", {}, open ? "close" : "open"), element("circle", { cx: x, cy: y, r: 7 }));
    group.append(element("path", { d: `M${x - 3.5} ${y}h7${open ? "" : `M${x} ${y - 3.5}v7`}` }));
    return group;
  }

  segment(segment) {
    const group = element("g", { class: `edge e-${segment.kind}`, "data-scope": segment.scope });
    const values = [...new Set(segment.items.flatMap((edge) => edge.values))].slice(0, 12);
    group.append(element("title", {}, [segment.kind, ...values].join("\n")));
    group.append(element("path", { d: curve(segment.points) }));
    if (segment.ends && segment.points.length > 1) group.append(arrow(segment.points));
    if (segment.label && segment.at) {
      group.append(element("text", { class: "shape", x: segment.at[0], y: segment.at[1] + 3.5, "text-anchor": "middle" }, segment.label));
    }
    this.edges.push({ group, items: segment.items });
    return group;
  }

  // Marks what is selected, what it reads and what it feeds; without a selection nothing.
  mark(selected, upstream, downstream) {
    const reads = this.shownParts(upstream);
    const feeds = this.shownParts(downstream);
    for (const [index, group] of this.drawn) {
      group.classList.toggle("selected", index === selected);
      group.classList.toggle("reads", reads.has(index));
      group.classList.toggle("feeds", feeds.has(index));
    }
    for (const { group, items } of this.edges) {
      group.classList.toggle("reads", Boolean(upstream) && items.some((edge) => upstream.edges.has(edge)));
      group.classList.toggle("feeds", Boolean(downstream) && items.some((edge) => downstream.edges.has(edge)));
    }
  }

  shownParts(reach) {
    return new Set(reach ? [...reach.parts].map((index) => this.tree.shown(index)) : []);
  }
}

function corner(place) {
  return { x: place.x.toFixed(1), y: place.y.toFixed(1), width: place.width.toFixed(1), height: place.height.toFixed(1) };
}

// Straight from bend to bend, with rounded corners.
function curve(points) {
  if (points.length < 2) return "";
  const at = ([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`;
  let path = `M${at(points[0])}`;
  for (let bend = 1; bend < points.length - 1; bend += 1) {
    path += `L${at(near(points[bend], points[bend - 1]))}Q${at(points[bend])} ${at(near(points[bend], points[bend + 1]))}`;
  }
  return `${path}L${at(points.at(-1))}`;
}

// The point where a corner begins on the way to the next bend.
function near([x, y], [nextX, nextY]) {
  const length = Math.hypot(nextX - x, nextY - y);
  const part = length ? Math.min(14, length / 2) / length : 0;
  return [x + (nextX - x) * part, y + (nextY - y) * part];
}

function arrow(points) {
  const [x, y] = points.at(-1);
  const from = points.slice(0, -1).reverse().find(([px, py]) => Math.hypot(x - px, y - py) > 1) || [x, y - 1];
  const angle = Math.atan2(y - from[1], x - from[0]);
  const side = (turn) => [x - 8 * Math.cos(angle + turn), y - 8 * Math.sin(angle + turn)];
  return element("polygon", { points: [[x, y], side(0.4), side(-0.4)].map((p) => p.map((n) => n.toFixed(1)).join(",")).join(" ") });
}
