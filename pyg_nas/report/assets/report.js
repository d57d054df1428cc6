"use strict";
(() => {
  const MOST_PINS = 8;
  const data = JSON.parse(document.getElementById("data").textContent);
  const gallery = data.cells;
  const root = document.documentElement;
  const tip = document.getElementById("tip");
  const pins = document.getElementById("pins");

  // Text only ever enters the page through textContent: names come from people's files.
  function element(name, text, parent) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }

  // Every graph is drawn once; the operations of a cell are filled in.
  function drawing(cell) {
    const parsed = new DOMParser().parseFromString(gallery.drawings[cell.g], "image/svg+xml");
    const svg = document.importNode(parsed.documentElement, true);
    const boxes = svg.getElementsByTagName("rect");
    const labels = svg.getElementsByTagName("text");
    if (cell.o.length) svg.getElementsByTagName("title")[0].remove();
    cell.o.forEach((column, vertex) => {
      const operation = gallery.operations[column];
      boxes[vertex].setAttribute("fill", operation.fill);
      labels[vertex].setAttribute("fill", operation.ink);
      labels[vertex].textContent = operation.label;
    });
    return svg;
  }

  function card(number, parent) {
    const cell = gallery.cells[number];
    const box = element("div", undefined, parent);
    box.className = "cell";
    box.append(drawing(cell));
    const beside = element("div", undefined, box);
    if (cell.h) {
      element("code", cell.h.slice(0, 12) + "…", beside).title = cell.h;
    }
    const facts = element("dl", undefined, beside);
    gallery.facts.forEach((name, i) => {
      element("dt", name, facts);
      element("dd", cell.f[i], facts);
    });
    return box;
  }

  function showTip(number, event) {
    tip.replaceChildren();
    card(number, tip);
    tip.hidden = false;
    const gap = 16;
    const { offsetWidth: width, offsetHeight: height } = tip;
    const right = event.clientX + gap + width < window.innerWidth;
    const x = right ? event.clientX + gap : event.clientX - gap - width;
    const y = Math.min(event.clientY + gap, window.innerHeight - height - 8);
    tip.style.left = `${Math.max(8, x)}px`;
    tip.style.top = `${Math.max(8, y)}px`;
  }

  function fitPins() {
    pins.hidden = pins.childElementCount === 0;
    document.body.style.paddingBottom = pins.hidden ? "" : `${pins.offsetHeight}px`;
  }

  function pin(number) {
    const there = [...pins.children].find((child) => child.dataset.cell === String(number));
    if (there) {
      there.scrollIntoView({ block: "nearest", inline: "nearest" });
      return;
    }
    const box = element("div");
    box.className = "pin";
    box.dataset.cell = number;
    card(number, box);
    const close = element("button", "×", box);
    close.type = "button";
    close.setAttribute("aria-label", "unpin this cell");
    close.addEventListener("click", () => { box.remove(); fitPins(); });
    pins.prepend(box);
    while (pins.childElementCount > MOST_PINS) pins.lastElementChild.remove();
    pins.scrollLeft = 0;
    fitPins();
  }

  function isDark() {
    if (root.dataset.theme) return root.dataset.theme === "dark";
    return window.matchMedia("(prefers-color-scheme: dark)").matches;
  }

  // Colours c0 to c7, with "/0.2" for see-through, stand for the theme's.
  function resolve(value, style) {
    if (Array.isArray(value)) return value.map((inner) => resolve(inner, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(
        Object.entries(value).map(([key, inner]) => [key, resolve(inner, style)]));
    }
    const match = typeof value === "string" && /^(c[0-7])(?:\/([\d.]+))?$/.exec(value);
    if (!match) return value;
    const colour = style.getPropertyValue(`--${match[1]}`).trim();
    if (!match[2]) return colour;
    const [red, green, blue] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
    return `rgba(${red},${green},${blue},${match[2]})`;
  }

  function axis(given, style) {
    const colour = (name) => style.getPropertyValue(name).trim();
    return {
      gridcolor: colour("--grid"), linecolor: colour("--line"), zerolinecolor: colour("--line"),
      zeroline: false, automargin: true, ...resolve(given || {}, style),
    };
  }

  function draw(number) {
    const target = document.getElementById(`figure-${number}`);
    const { traces, layout } = data.figures[number];
    const style = getComputedStyle(root);
    const ink = style.getPropertyValue("--ink").trim();
    const { clientWidth: width, clientHeight: height } = target;
    const narrow = width < 480;
    const full = {
      width, height,  // Plotly measures later, which is too late for paper
      uirevision: "all",  // a zoom stays when a figure is drawn again
      hovermode: "closest", dragmode: narrow ? false : "zoom",
      margin: { l: 52, r: 12, t: 12, b: 44 },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
      ...resolve(layout, style),
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: narrow ? 11 : 12, color: ink },
      xaxis: axis(layout.xaxis, style), yaxis: axis(layout.yaxis, style),
    };
    const options = { displaylogo: false, displayModeBar: false };
    return Plotly.react(target, resolve(traces, style), full, options);
  }

  function drawAll() {
    document.getElementById("theme").textContent = isDark() ? "Light" : "Dark";
    return Promise.all(data.figures.map((_, number) => draw(number)));
  }

  function cellOf(event) {
    const point = event.points.find((one) => one.data.meta === "cells");
    return point ? point.customdata : undefined;
  }

  function sortBy(table, column, head) {
    const ascending = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) {
      if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    }
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const body = table.tBodies[0];
    const key = (row) => row.cells[column].dataset.sort;
    const rows = [...body.rows].sort((one, other) => {
      const [a, b] = [key(one), key(other)];
      if (a === "" || b === "") return (a === "") - (b === "");  // unknown ones last
      return ascending ? a - b : b - a;
    });
    body.append(...rows);
  }

  const table = document.getElementById("best");
  if (table) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = head.querySelector("button");
      if (button) button.addEventListener("click", () => sortBy(table, column, head));
    });
    for (const row of table.tBodies[0].rows) {
      row.addEventListener("click", () => pin(Number(row.dataset.cell)));
    }
  }

  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    drawAll();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  let resized, drawn = root.clientWidth;
  window.addEventListener("resize", () => {
    if (root.clientWidth === drawn) return;  // a phone that scrolls hides the bar of its browser
    drawn = root.clientWidth;
    cancelAnimationFrame(resized);
    resized = requestAnimationFrame(drawAll);
  });
  // Paper is white, and narrower than the window.
  let theme;
  window.addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    root.classList.add("printing");
    drawAll();
  });
  window.addEventListener("afterprint", () => {
    if (theme === undefined) delete root.dataset.theme; else root.dataset.theme = theme;
    root.classList.remove("printing");
    drawAll();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    pins.replaceChildren();
    fitPins();
  });

  drawAll().then(() => {
    data.figures.forEach((_, number) => {
      const target = document.getElementById(`figure-${number}`);
      target.on("plotly_hover", (event) => {
        const cell = cellOf(event);
        if (cell !== undefined) showTip(cell, event.event);
      });
      target.on("plotly_unhover", () => { tip.hidden = true; });
      target.on("plotly_click", (event) => {
        const cell = cellOf(event);
        if (cell !== undefined) { tip.hidden = true; pin(cell); }
      });
    });
    root.dataset.ready = "true";
  });
})();
