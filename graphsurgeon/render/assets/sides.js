"use strict";
/* global DATA, tree, arranger, canvas, $, listen, fit, draw, LEAST */
// Two models side by side: one picture shown twice, left without what was added, right without what was removed, so
// that both panes move and open together and what stands in both stands at one height.

const isCompared = Boolean(DATA.before);

function sides() {
  const main = document.querySelector("main");
  const isOn = main.classList.toggle("sides");
  $("first").hidden = $("after-name").hidden = !isOn;
  $("sides").setAttribute("aria-pressed", String(isOn));
  $("before-name").textContent = `before: ${DATA.before}`;
  $("after-name").textContent = `after: ${DATA.title.slice(DATA.before.length + 3)}`;
  arranger.isBeside = isOn;
  draw();
  fit(LEAST);
}

// The left pane shows the elements of the right one by reference: what would lie there, were it shown as here.
function twinOf(event) {
  const [left, right] = [$("before").getBoundingClientRect(), canvas.getBoundingClientRect()];
  const asHere = { "--is-removed": "visible", "--is-added": "hidden" };
  for (const [name, value] of Object.entries(asHere)) canvas.style.setProperty(name, value);
  const all = document.elementsFromPoint(event.clientX - left.left + right.left, event.clientY - left.top + right.top);
  for (const name of Object.keys(asHere)) canvas.style.removeProperty(name);
  return all.find((found) => canvas.contains(found));
}

$("sides").hidden = !isCompared;
$("sides").addEventListener("click", sides);
listen($("before"), twinOf);
