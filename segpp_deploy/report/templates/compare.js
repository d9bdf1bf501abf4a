"use strict";
const pictures = JSON.parse(document.getElementById("pictures").textContent);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

for (const image of all("img[data-picture]")) image.src = pictures[image.dataset.picture];

// the table: sorting by a column, empty cells last
const table = document.getElementById("rows");
const body = table.tBodies[0];
for (const [column, heading] of all("thead th", table).entries()) {
  heading.querySelector("button").addEventListener("click", () => {
    const descends = heading.getAttribute("aria-sort") === "ascending";
    for (const other of all("th[aria-sort]", table)) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descends ? "descending" : "ascending");
    const key = row => {
      const cell = row.cells[column];
      return !cell || cell.classList.contains("reason") ? "" : cell.dataset.number ?? cell.textContent.trim();
    };
    const isNumber = heading.classList.contains("number");
    const rows = [...body.rows].sort((one, other) => {
      const [a, b] = [key(one), key(other)];
      if (a === "" || b === "") return (a === "") - (b === "");
      const order = isNumber ? a - b : a.localeCompare(b);
      return descends ? -order : order;
    });
    body.append(...rows);
  });
}

// filters hide a row and everything that belongs to it: its point, its column of classes, its commands
const filters = all("#filters select");
const count = document.getElementById("count");
function filterRows() {
  let shown = 0;
  for (const row of body.rows) {
    const fits = filters.every(one => one.value === "" || row.dataset[one.name] === one.value);
    shown += fits;
    for (const part of all(`[data-row="${row.dataset.row}"]`)) {
      if (part instanceof SVGElement) part.style.display = fits ? "" : "none";
      else part.hidden = !fits;
    }
  }
  count.textContent = `${shown} of ${body.rows.length} rows`;
}
for (const one of filters) one.addEventListener("change", filterRows);
filterRows();

// side by side: two views of a sample, and a slider between them
for (const wipe of all(".wipe")) {
  const [sample, left, right] = all("select", wipe);
  const views = JSON.parse(wipe.querySelector("script").textContent);
  const [under, over] = all("img", wipe);
  const show = (image, view) => {
    image.src = pictures[views[sample.value][view]];
    image.alt = view;
  };
  const update = () => {
    show(over, left.value);
    show(under, right.value);
  };
  for (const one of [sample, left, right]) one.addEventListener("change", update);
  const slider = wipe.querySelector("input");
  slider.addEventListener("input", () => wipe.style.setProperty("--at", `${slider.value}%`));
  update();
}

addEventListener("beforeprint", () => all("details").forEach(one => { one.open = true; }));
