// Filter over all printed values. Without scripts the form stays hidden and every value is there.
const form = document.getElementById("filter");
if (form) {
  const text = document.getElementById("filter-text");
  const verdict = document.getElementById("filter-verdict");
  const count = document.getElementById("filter-count");
  let sheets = null;
  let timer = 0;
  const read = () => [...document.querySelectorAll("#printed details.values")].map(sheet => ({
    sheet, was: sheet.open, title: sheet.querySelector(".title").textContent.toLowerCase(),
    rows: [...sheet.querySelectorAll("tbody tr")].map(row => ({
      row, words: row.textContent.toLowerCase(),
      verdict: (row.lastElementChild.textContent.trim().slice(1).trim().split(":")[0])}))}));
  const apply = () => {
    sheets ??= read();
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = verdict.value;
    const idle = !words.length && !wanted;
    let shown = 0;
    for (const part of sheets) {
      let here = 0;
      for (const {row, words: own, verdict: found} of part.rows) {
        const all = part.title + " " + own;
        const fits = words.every(word => all.includes(word)) &&
          (!wanted || (wanted.startsWith("!") ? found !== wanted.slice(1) : found === wanted));
        row.hidden = !fits;
        here += fits;
      }
      shown += here;
      part.sheet.hidden = !here;
      part.sheet.open = idle ? part.was : here > 0 && here <= 200;
    }
    count.textContent = idle ? "" : shown.toLocaleString("en") + (shown === 1 ? " value" : " values");
  };
  form.hidden = false;
  form.addEventListener("submit", event => event.preventDefault());
  text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, 120); });
  verdict.addEventListener("change", apply);
}
// A link to something inside a closed part opens that part.
const unfold = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
  if (target) target.scrollIntoView();
};
addEventListener("hashchange", unfold);
unfold();
