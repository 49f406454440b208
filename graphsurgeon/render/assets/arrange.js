"use strict";
/* global layered, inColumns */
// Where everything goes. Every open scope is laid out on its own, so that opening one moves nothing inside another;
// edges that enter or leave a scope run through a port on its frame.

const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const HEAD = 30; // of a frame: its name, and the button that closes it

class Arranger {
  constructor(tree) {
    this.tree = tree;
    this.cache = new Map();
    this.isBeside = false;
  }

  // Returns rectangles of visible parts, and segments of edges, all in the coordinates of the whole, in columns where it
  // is much taller than a window of this size.
  arrange(wide, high, kept) {
    const levels = this.levels();
    const found = { boxes: new Map(), frames: new Map(), segments: [] };
    const whole = this.scope(-1, levels);
    this.place(whole, 0, 0, levels, found);
    found.width = whole.width;
    found.height = whole.height;
    return inColumns(found, wide, high, kept);
  }

  // Sorts every visible edge into the scopes it runs through: between siblings, and from or to ports. A port is true at
  // the top of a frame, false at its foot: what goes from one turn of a loop to the next runs upwards.
  levels() {
    const levels = new Map();
    this.turns = new Map(); // a box that holds a whole loop -> what one turn hands to the next
    const level = (scope) => {
      if (!levels.has(scope)) levels.set(scope, { edges: new Map(), ports: new Map() });
      return levels.get(scope);
    };
    const join = (scope, from, to, outer, edge) => {
      const key = `${from}>${to}>${outer}`;
      const edges = level(scope).edges;
      if (!edges.has(key)) edges.set(key, { from, to, kind: edge.kind, items: [], label: "" });
      edges.get(key).items.push(edge);
      return edges.get(key);
    };
    // What only the first of two models has stands beside nothing but the second.
    for (const edge of this.isBeside ? this.tree.edges : this.tree.edges.filter(({ kind }) => kind !== "former")) {
      const source = this.path(edge.source);
      const target = this.path(edge.target);
      if (source.at(-1) === target.at(-1)) {
        if (edge.kind === "loop") this.turns.set(source.at(-1), [...(this.turns.get(source.at(-1)) || []), edge]);
        continue;
      }
      let depth = 0;
      while (source[depth] === target[depth]) depth += 1;
      const scope = depth ? source[depth - 1] : -1;
      const outer = `${source[depth]}>${target[depth]}>${edge.kind}`;
      const joined = join(scope, source[depth], target[depth], edge.kind, edge);
      if (!joined.label) joined.label = edge.label;
      for (let at = depth; at < source.length - 1; at += 1) {
        level(source[at]).ports.set(`out ${outer}`, edge.kind === "loop");
        join(source[at], source[at + 1], `out ${outer}`, outer, edge);
      }
      for (let at = depth; at < target.length - 1; at += 1) {
        level(target[at]).ports.set(`in ${outer}`, edge.kind !== "loop");
        join(target[at], `in ${outer}`, target[at + 1], outer, edge);
      }
    }
    return levels;
  }

  // The open scopes around what shows a part, outermost first, and that itself.
  path(index) {
    const found = [];
    for (const scope of this.tree.around(index)) {
      found.push(scope);
      if (!this.tree.isOpen(scope)) return found;
    }
    found.push(index);
    return found;
  }

  // The line from a box back to itself.
  turn(index, scope, { x, y, width, height }) {
    const right = x + width;
    const points = [[right, y + height * 0.75], [right + 16, y + height * 0.75], [right + 16, y + height * 0.3], [right, y + height * 0.3]];
    return { from: index, to: index, kind: "loop", items: this.turns.get(index), label: "", points, around: around(points), scope, at: null, ends: true };
  }

  children(scope) {
    return scope < 0 ? this.tree.roots : this.tree.parts[scope].children;
  }

  scope(index, levels) {
    const level = levels.get(index) || { edges: new Map(), ports: new Map() };
    const inner = new Map();
    const sizes = new Map();
    for (const child of this.children(index)) {
      const open = child.scope && this.tree.isOpen(child.index);
      if (open) inner.set(child.index, this.scope(child.index, levels));
      sizes.set(child.index, open ? [inner.get(child.index).width, inner.get(child.index).height] : child.size);
    }
    return { ...this.laidOut(index, sizes, level, inner), inner, index };
  }

  // Equal scopes are laid out once: what is laid out knows children, ports and edges by their numbers alone.
  laidOut(index, sizes, level, inner) {
    const ports = [...level.ports].sort((a, b) => b[1] - a[1]).map(([port]) => port);
    const entries = ports.filter((port) => level.ports.get(port)).length;
    const number = new Map([...sizes.keys(), ...ports].map((end, place) => [end, place]));
    const edges = [...level.edges.values()];
    const told = edges.map((edge) => {
      const isPort = typeof edge.from === "string" || typeof edge.to === "string";
      const wide = isPort || !edge.label ? 0 : Math.round(letters(edge.label) * 5.6 + 6);
      // Laid out against its direction, what one turn hands to the next does not turn the loop upside down.
      return [number.get(edge.from), number.get(edge.to), wide, edge.kind === "condition" ? 1 : 2, edge.kind === "loop",
        portShift(inner.get(edge.from), `out ${through(edge)}`), portShift(inner.get(edge.to), `in ${through(edge)}`)];
    });
    const title = index < 0 ? 0 : titleRoom(this.tree.parts[index]);
    const key = JSON.stringify([[...sizes.values()], entries, ports.length, told, title]);
    if (!this.cache.has(key)) {
      if (this.cache.size > 2000) this.cache.clear();
      this.cache.set(key, measured(layered([...sizes.values()], entries, ports.length - entries, told), [...sizes.values()], entries, title));
    }
    const found = this.cache.get(key);
    return {
      width: found.width, height: found.height, title: found.title, isTop: level.ports,
      ports: new Map(ports.map((port, place) => [port, found.at[sizes.size + place][0]])),
      at: new Map([...sizes.keys()].map((child, place) => [child, found.at[place]])),
      segments: edges.map((edge, place) => ({
        from: edge.from, to: edge.to, kind: edge.kind, items: edge.items, label: found.lines[place].label ? edge.label : "",
        points: found.lines[place].points, at: found.lines[place].label,
      })),
    };
  }

  place(scope, x, y, levels, found) {
    const corner = new Map();
    for (const child of this.children(scope.index)) {
      const [cx, cy] = scope.at.get(child.index);
      const inner = scope.inner.get(child.index);
      const [width, height] = inner ? [inner.width, inner.height] : child.size;
      const rectangle = { x: x + cx - width / 2, y: y + cy - height / 2, width, height };
      corner.set(child.index, rectangle);
      (inner ? found.frames : found.boxes).set(child.index, inner ? { ...rectangle, title: inner.title, room: titleRoom(child) } : rectangle);
      if (inner) this.place(inner, rectangle.x, rectangle.y, levels, found);
      else if (this.turns.has(child.index)) found.segments.push(this.turn(child.index, scope.index, rectangle));
    }
    for (const segment of scope.segments) {
      const points = segment.points.map(([px, py]) => [px + x, py + y]);
      const end = (port, near) => [near[0], scope.isTop.get(port) ? y : y + scope.height];
      if (typeof segment.from === "string") points.unshift(end(segment.from, points[0]));
      if (typeof segment.to === "string") points.push(end(segment.to, points.at(-1)));
      found.segments.push({
        ...segment, points, around: around(points), scope: scope.index, at: segment.at && [segment.at[0] + x, segment.at[1] + y],
        ends: typeof segment.to !== "string" && !scope.inner.has(segment.to),
      });
    }
  }
}

// How wide a text is, in letters: Chinese, Japanese and Korean signs are as wide as two.
function letters(text) {
  let found = 0;
  for (const sign of text) found += WIDE.test(sign) ? 2 : 1;
  return found;
}

// How wide the name of a frame is, with its button.
function titleRoom(part) {
  return Math.round(letters(part.frame) * 6.6 + 46);
}

// The room that a line takes, its label beside it included.
function around(points) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return { x: left - 60, y: top, width: right - left + 120, height: bottom - top };
}

// The name that the ports of an edge have in the scopes that it runs through.
function through(edge) {
  const port = [edge.from, edge.to].find((end) => typeof end === "string");
  return port ? port.slice(port.indexOf(" ") + 1) : `${edge.from}>${edge.to}>${edge.kind}`;
}

// How far right of a frame's middle an edge meets it; null where it meets no frame.
function portShift(frame, port) {
  return frame && frame.ports.has(port) ? Math.round(frame.ports.get(port) - frame.width / 2) : null;
}

// Brings what was laid out into a frame: its corner at the origin, room around it, and above it for the name.
function measured({ at, lines }, sizes, entries, title) {
  const pad = title ? 14 : 8;
  const head = title ? HEAD : 8;
  const edge = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  const take = (x, y) => {
    edge.left = Math.min(edge.left, x);
    edge.right = Math.max(edge.right, x);
    edge.top = Math.min(edge.top, y);
    edge.bottom = Math.max(edge.bottom, y);
  };
  at.forEach(([x, y], node) => {
    const [width, height] = sizes[node] || [8, 1];
    take(x - width / 2, y - height / 2);
    take(x + width / 2, y + height / 2);
  });
  for (const { points, label } of lines) {
    for (const [x, y] of points) take(x, y);
    if (label) take(label[0] + Math.abs(label[0] - points[0][0]), label[1]);
  }
  if (!at.length) return { at, lines, width: Math.max(40, title), height: 40, title: 0 };
  const shift = ([x, y]) => [x - edge.left + pad, y - edge.top + head];
  const places = at.map(shift);
  const entering = places.slice(sizes.length, sizes.length + entries).map(([x]) => x).sort((a, b) => a - b);
  const begin = titlePlace(entering, title, edge.right - edge.left + 2 * pad);
  return {
    at: places, title: begin, width: Math.max(edge.right - edge.left + 2 * pad, begin + title), height: edge.bottom - edge.top + head + pad,
    lines: lines.map(({ points, label }) => ({ points: points.map(shift), label: label && shift(label) })),
  };
}

// Where the name of a frame begins: in the first gap between the lines that enter it that has room, else right of all.
function titlePlace(entering, title, width) {
  let left = 0;
  for (const x of [...entering, Math.max(width, left + title + 6)]) {
    if (x - 6 - left >= title) return left;
    left = Math.max(left, x + 4);
  }
  return left;
}
