// SPDX-License-Identifier: Apache-2.0
// As much of a browser as the page of a study touches: reads the page's path, then keys, prints what was saved.
"use strict";
const fs = require("fs");
const [path, keys] = process.argv.slice(2);
const html = fs.readFileSync(path, "utf8");
const blocks = [...html.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/g)];
const drawn = { lines: 0, arcs: 0, values: [] };
const context = {
  beginPath() {}, stroke() {}, fill() {}, clearRect() {},
  moveTo(x, y) { drawn.values.push(x, y); },
  lineTo(x, y) { drawn.lines++; drawn.values.push(x, y); },
  arc(x, y, r) { drawn.arcs++; drawn.values.push(x, y, r); },
};
const elements = {};
const element = (id) => ({
  id, hidden: false, textContent: "", value: 0, clientWidth: 300, tagName: "DIV", attributes: {},
  setAttribute(name, value) { this.attributes[name] = value; }, getContext: () => context, click() { saved.push(this); },
});
const saved = [];
const listeners = {};
let paint = null;
const kept = {};
global.window = { devicePixelRatio: 1 };
global.localStorage = { getItem: (k) => kept[k] ?? null, setItem: (k, v) => { kept[k] = v; }, removeItem: (k) => { delete kept[k]; } };
global.getComputedStyle = () => ({ getPropertyValue: () => " #123456" });
global.requestAnimationFrame = (f) => { paint = f; };
global.document = {
  documentElement: {},
  addEventListener: (name, f) => { listeners[name] = f; },
  createElement: () => element("a"),
  getElementById(id) {
    if (!html.includes(`id="${id}"`)) throw new Error(`the page has no ${id}`);
    return (elements[id] ??= element(id));
  },
};
URL.createObjectURL = (blob) => { saved.push(blob); return "blob:x"; };
URL.revokeObjectURL = () => {};
document.getElementById("data").textContent = blocks.find((b) => b[1].includes("json"))[2];
(0, eval)(blocks.find((b) => !b[1])[2]);

const states = [];
let now = 0;
for (const key of keys.split(",")) {
  for (let i = 0; i < 20; i++) paint((now += 50));
  listeners.keydown({ key, target: { tagName: "BODY", id: "" }, preventDefault() {} });
  states.push([elements.place.textContent, elements.caption.textContent, elements.play.textContent]);
}
const locked = elements.next.disabled;
elements.save.onclick();
const before = { kept: Object.keys(kept), end: !elements.end.hidden, shown: elements.text.value };
const unlocked = !elements.next.disabled;
elements.next.onclick();
const place = elements.place.textContent;
for (const _ of states) listeners.keydown({ key: "1", target: { tagName: "BODY", id: "" }, preventDefault() {} });
saved[0].text().then((text) => {
  console.log(JSON.stringify({
    text, states, name: saved[1].download, ...before, next: { locked, unlocked, place, shown: elements.text.value },
    lines: drawn.lines, arcs: drawn.arcs, finite: drawn.values.every(Number.isFinite),
    inside: drawn.values.filter((v) => v >= 0 && v <= 300).length / drawn.values.length,
  }));
  process.exit(0);
});
