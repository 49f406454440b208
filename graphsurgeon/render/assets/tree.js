"use strict";
// The tree of scopes: which are open, what is therefore visible, and what depends on what.

class Tree {
  constructor(data) {
    this.parts = data.parts.map((part, index) => ({ ...part, index, children: [] }));
    this.roots = [];
    for (const part of this.parts) this.siblings(part).push(part);
    const byPlace = (a, b) => a.at - b.at;
    this.roots.sort(byPlace);
    for (const part of this.parts) part.children.sort(byPlace);
    this.edges = data.edges.map(([source, target, kind, label, values, was]) => ({ source, target, kind, label, values, was }));
    this.before = this.parts.map(() => []);
    this.after = this.parts.map(() => []);
    for (const edge of this.edges.filter(({ kind }) => kind !== "former")) {
      this.after[edge.source].push(edge);
      this.before[edge.target].push(edge);
    }
    this.folded = new Map(); // part -> names of nodes that are folded into it
    for (const [name, index] of data.folded || []) this.folded.set(index, [...(this.folded.get(index) || []), name]);
    this.first = new Set(this.parts.filter((part) => part.open).map((part) => part.index));
    this.opened = new Set(this.first);
  }

  siblings(part) {
    return part.parent < 0 ? this.roots : this.parts[part.parent].children;
  }

  isOpen(index) {
    return this.opened.has(index);
  }

  // The scopes around a part, outermost first.
  around(index) {
    const found = [];
    for (let at = this.parts[index].parent; at >= 0; at = this.parts[at].parent) found.push(at);
    return found.reverse();
  }

  // What shows a part: the outermost closed scope around it, or itself.
  shown(index) {
    for (const scope of this.around(index)) if (!this.isOpen(scope)) return scope;
    return index;
  }

  isVisible(index) {
    return this.shown(index) === index;
  }

  setOpen(index, open) {
    if (!this.parts[index].scope) return;
    if (open) this.opened.add(index);
    else this.opened.delete(index);
  }

  reveal(index) {
    for (const scope of this.around(index)) this.opened.add(scope);
  }

  // Opens or closes every visible scope by one level.
  step(open) {
    const visible = this.parts.filter((part) => part.scope && this.isVisible(part.index));
    if (open) {
      for (const part of visible) this.opened.add(part.index);
      return;
    }
    const innermost = visible.filter((part) => this.isOpen(part.index) && !part.children.some((c) => this.isOpen(c.index)));
    for (const part of innermost) this.opened.delete(part.index);
  }

  leaves(index) {
    const found = [];
    const waiting = [this.parts[index]];
    while (waiting.length) {
      const part = waiting.pop();
      if (part.scope) waiting.push(...part.children);
      else found.push(part.index);
    }
    return found;
  }

  // The operations that a part reads from (or feeds), directly or through others, and the edges on the way.
  reach(index, forward, far) {
    const next = forward ? this.after : this.before;
    const own = new Set(this.leaves(index));
    const parts = new Set(own);
    const edges = new Set();
    let border = [...parts];
    do {
      const found = [];
      for (const at of border) {
        for (const edge of next[at]) {
          const other = forward ? edge.target : edge.source;
          if (own.has(other)) continue;
          edges.add(edge);
          if (!parts.has(other)) {
            parts.add(other);
            found.push(other);
          }
        }
      }
      border = found;
    } while (far && border.length);
    return { parts, edges };
  }
}
