"use strict";
/* global DATA, canvas, foot, recall, $ */
// The beginning, when all else is there.

$("title").textContent = DATA.title;
foot();
// A frame of a notebook or a tab behind others has no size yet: what is fitted to it waits until it has.
if (canvas.clientWidth && canvas.clientHeight) recall();
else {
  new ResizeObserver((_, sizes) => {
    if (!canvas.clientWidth || !canvas.clientHeight) return;
    sizes.disconnect();
    recall();
  }).observe(canvas);
}
