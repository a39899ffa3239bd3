"use strict";
// The page is whole without this. It adds two comforts: tables that copy as CSV, and folds that open for the printer.
for (const button of document.querySelectorAll("button.copy")) {
  if (!navigator.clipboard && !document.execCommand) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const rows = [...document.getElementById(button.dataset.table).rows];
    const quoted = (cell) => {
      const text = cell.textContent.trim().replaceAll("\u202f", " ");
      return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const csv = rows.map((row) => [...row.cells].map(quoted).join(",")).join("\n") + "\n";
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(csv);
    } catch {
      const area = document.createElement("textarea");
      area.value = csv;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = said; }, 1500);
  });
}
const folds = [...document.querySelectorAll("details:not(.data)")];
addEventListener("beforeprint", () => {
  for (const fold of folds) { fold.dataset.was = fold.open ? "open" : ""; fold.open = true; }
});
addEventListener("afterprint", () => {
  for (const fold of folds) fold.open = fold.dataset.was === "open";
});
