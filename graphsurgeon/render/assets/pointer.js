"use strict";
/* global view, canvas, zoomAt, move, remember, toggle, select, tree, $ */
// What pointers do: one moves the picture, two pinch it, a click selects or opens.

const SLIP = 4; // pixels that a click may slip
const TWICE = 600; // milliseconds between two clicks
const partOf = (target) => {
  const group = target.closest("[data-part]");
  return group ? Number(group.dataset.part) : -1;
};
const held = new Map(); // pointers that are down -> where
let isMoved = false; // since the first of them went down

// Where the middle of all that is held is, and how far apart two are.
function grip() {
  const places = [...held.values()];
  const mean = (key) => places.reduce((sum, place) => sum + place[key], 0) / places.length;
  const spread = places.length > 1 ? Math.hypot(places[0].x - places[1].x, places[0].y - places[1].y) : 0;
  return { x: mean("x"), y: mean("y"), spread };
}

function inside(surface, { x, y }) {
  const { left, top } = surface.getBoundingClientRect();
  return [x - left, y - top];
}

// Lets a surface move the picture; `at` says which element of the picture an event is about.
function listen(surface, at) {
  surface.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (!held.size) isMoved = false;
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (held.size > 1) isMoved = true;
  });
  surface.addEventListener("pointermove", (event) => {
    const from = held.get(event.pointerId);
    if (!from) return;
    if (!isMoved && Math.hypot(event.clientX - from.x, event.clientY - from.y) < SLIP) return;
    if (!surface.hasPointerCapture(event.pointerId)) surface.setPointerCapture(event.pointerId);
    isMoved = true;
    surface.classList.add("moving");
    const before = grip();
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const after = grip();
    view.x += after.x - before.x;
    view.y += after.y - before.y;
    if (before.spread && after.spread) zoomAt(...inside(surface, after), after.spread / before.spread);
    else move();
  });
  const release = (event) => {
    if (!held.delete(event.pointerId) || held.size) return;
    surface.classList.remove("moving");
    if (isMoved) remember();
  };
  surface.addEventListener("pointerup", release);
  surface.addEventListener("pointercancel", release);
  surface.addEventListener("click", (event) => {
    const target = at(event);
    if (isMoved || !target) return;
    const button = target.closest("[data-toggle]");
    clicked = { index: button || !$("panel").hidden ? -1 : partOf(target), time: performance.now() };
    if (button) toggle(Number(button.dataset.toggle));
    else select(partOf(target));
  });
  surface.addEventListener("dblclick", (event) => {
    const target = at(event);
    const index = target ? partOf(target) : -1;
    if (index >= 0 && !target.closest("[data-toggle]")) toggle(index);
  });
  surface.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomAt(...inside(surface, { x: event.clientX, y: event.clientY }), Math.exp(-event.deltaY * (event.deltaMode ? 0.03 : 0.0015)));
  }, { passive: false });
}

// The panel that a click opens may lie where the second click of a double one goes.
let clicked = { index: -1, time: 0 };
$("panel").addEventListener("dblclick", () => {
  if (clicked.index < 0 || performance.now() - clicked.time > TWICE) return;
  getSelection().removeAllRanges();
  toggle(clicked.index);
});

listen(canvas, (event) => event.target);
canvas.addEventListener("focusin", (event) => {
  const index = partOf(event.target);
  if (index >= 0 && event.target.matches(":focus-visible") && index !== view.selected) select(index);
});
