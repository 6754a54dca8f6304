// Measures every frame of the document and writes the result as JSON into #out.
const describe = (e) => {
  const text = (e.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
  return `${e.tagName.toLowerCase()}.${e.getAttribute("class") || ""} ${text}`;
};
const channel = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const parse = (color) => (color.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
const luminance = ([r, g, b]) =>
  0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
const contrast = (a, b) => {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
};
const background = (e, view) => {
  for (let at = e; at; at = at.parentElement) {
    const color = parse(view.getComputedStyle(at).backgroundColor);
    if (color.length === 3 || color[3] > 0.5) return color;
  }
  return [255, 255, 255];
};
const measure = (frame) => {
  const view = frame.contentWindow, doc = frame.contentDocument, root = doc.documentElement;
  const height = root.scrollHeight;
  doc.querySelectorAll("details").forEach((d) => (d.open = true));
  const width = root.clientWidth;
  const overflowing = [], overprinted = [], faint = [];
  for (const e of doc.body.querySelectorAll("*")) {
    const box = e.getBoundingClientRect();
    if (!box.width || !box.height || e.closest(".scroll") && !e.matches(".scroll")) continue;
    if (box.right > width + 1 || box.left < -1) overflowing.push(describe(e));
  }
  for (const svg of doc.querySelectorAll("svg[role=img]")) {
    const texts = [...svg.querySelectorAll("text")].map((t) => [t, t.getBoundingClientRect()]);
    texts.forEach(([a, p], i) => texts.slice(i + 1).forEach(([b, q]) => {
      const x = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const y = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (x > 1 && y > 4) overprinted.push(`${describe(a)} | ${describe(b)}`);
    }));
  }
  const walker = doc.createTreeWalker(doc.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || e.closest("title")) continue;
    const style = view.getComputedStyle(e);
    const color = parse(e.closest("svg") ? style.fill : style.color);
    if (contrast(color, background(e, view)) < 4.5) faint.push(describe(e));
  }
  const paper = view.getComputedStyle(doc.body).backgroundColor;
  return { height, scroll_width: root.scrollWidth, overflowing, overprinted, faint, background: paper };
};
window.addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(measure);
  document.getElementById("out").textContent = JSON.stringify(found);
});
