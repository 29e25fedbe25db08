// Sorting and filtering of the table of venues. Without this script the page shows everything, unsorted.
"use strict";

const table = document.getElementById("table");
const body = table.tBodies[0];
const rows = Array.from(body.rows);
const text = document.getElementById("filter-text");
const status = document.getElementById("filter-status");
const live = document.getElementById("filter-live");
const shown = document.getElementById("shown");
const order = new Intl.Collator("en", { numeric: true });

function key(row, column) {
  const cell = row.cells[column];
  return cell.dataset.sort ?? cell.textContent.trim();
}

function sort(header) {
  const ascending = header.getAttribute("aria-sort") !== "ascending";
  for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const column = header.cellIndex;
  rows.sort((a, b) => (ascending ? 1 : -1) * order.compare(key(a, column), key(b, column)));
  body.append(...rows);
}

function filter() {
  const wanted = text.value.trim().toLowerCase();
  let count = 0;
  for (const row of rows) {
    const tokens = document.getElementById(row.dataset.tokens);
    const words = (row.textContent + (tokens ? tokens.textContent : "")).toLowerCase();
    const fits = words.includes(wanted) && (!status.value || row.dataset.status === status.value) && (!live.checked || row.dataset.live !== "0");
    row.hidden = !fits;
    if (tokens) tokens.hidden = !fits;
    count += fits ? 1 : 0;
  }
  shown.value = `${count} of ${rows.length} venues`;
}

for (const header of table.tHead.rows[0].cells) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...header.childNodes);
  button.addEventListener("click", () => sort(header));
  header.append(button);
}
text.addEventListener("input", filter);
for (const control of [status, live]) control.addEventListener("change", filter);
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("filters").hidden = false;
filter();
