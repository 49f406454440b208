"use strict";
// The whole picture, small, in a corner, with the part that the window shows; it is dragged to go elsewhere.

class Minimap {
  // go: is given the point of the layout that shall be in the middle of the window.
  constructor(canvas, go) {
    this.canvas = canvas;
    this.image = document.createElement("canvas");
    this.layout = null;
    this.isWanted = true;
    const follow = (event) => {
      const { left, top } = canvas.getBoundingClientRect();
      go((event.clientX - left - this.left) / this.scale, (event.clientY - top - this.top) / this.scale);
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      follow(event);
    });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  }

  // Draws the window's place; the picture itself only where it has changed. Where all is seen there is nothing to show.
  show(layout, window, colors) {
    const isWhole = window.left <= 0 && window.top <= 0 && window.right >= layout.width && window.bottom >= layout.height;
    this.canvas.hidden = isWhole || !this.isWanted;
    if (this.canvas.hidden) return;
    if (this.layout !== layout) this.draw(layout, colors);
    const pen = this.canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.drawImage(this.image, 0, 0);
    const [x, y] = [this.left + Math.max(window.left, 0) * this.scale, this.top + Math.max(window.top, 0) * this.scale];
    const right = this.left + Math.min(window.right, layout.width) * this.scale;
    const bottom = this.top + Math.min(window.bottom, layout.height) * this.scale;
    pen.scale(this.sharp, this.sharp);
    pen.lineWidth = 2;
    pen.strokeStyle = colors.focus;
    pen.strokeRect(x, y, Math.max(right - x, 5), Math.max(bottom - y, 5));
  }

  // Makes the small picture no larger than it needs: its style sheet says how large it may be.
  fitted(layout) {
    const { style } = this.canvas;
    style.width = style.height = "";
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const scale = Math.min((width - 8) / layout.width, (height - 8) / layout.height);
    const found = [layout.width, layout.height].map((side) => Math.max(Math.round(side * scale) + 8, 48));
    [style.width, style.height] = found.map((side) => `${side + 2}px`);
    return found;
  }

  draw(layout, colors) {
    const [width, height] = this.fitted(layout);
    this.layout = layout;
    this.sharp = globalThis.devicePixelRatio || 1;
    for (const one of [this.canvas, this.image]) [one.width, one.height] = [width * this.sharp, height * this.sharp];
    this.scale = Math.min((width - 8) / layout.width, (height - 8) / layout.height);
    this.left = (width - layout.width * this.scale) / 2;
    this.top = (height - layout.height * this.scale) / 2;
    const pen = this.image.getContext("2d");
    pen.scale(this.sharp, this.sharp);
    const rectangle = (place, least) => [
      this.left + place.x * this.scale, this.top + place.y * this.scale,
      Math.max(place.width * this.scale, least), Math.max(place.height * this.scale, least),
    ];
    pen.strokeStyle = colors.line;
    for (const place of layout.frames.values()) for (const part of [place, ...(place.more || [])]) pen.strokeRect(...rectangle(part, 1));
    for (const [index, place] of layout.boxes) {
      pen.fillStyle = colors.box(index);
      pen.fillRect(...rectangle(place, 1));
    }
  }
}
