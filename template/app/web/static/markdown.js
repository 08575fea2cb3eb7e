// A model's answer as elements. The text only ever becomes text nodes, so markup in it stays text.
"use strict";

const markdown = (() => {
  const FENCE = /^ {0,3}(```+|~~~+)\s*([\w+#.-]*)\s*$/;
  const HEADING = /^ {0,3}(#{1,6})\s+(.+?)\s*#*$/;
  const ITEM = /^( *)([-*+]|\d{1,9}[.)])\s+(.*)$/;
  const QUOTE = /^ {0,3}> ?(.*)$/;
  const RULE = /^ {0,3}([-*_])( *\1){2,}\s*$/;
  const ROW = /^\s*\|(.+)\|\s*$/;
  const DASHES = /^\s*\|(\s*:?-+:?\s*\|)+\s*$/;
  // Code first: nothing inside it is marked up. Then links, bold, italic, bare addresses.
  const INLINE = /(`+)(.+?)\1(?!`)|!?\[([^\]\n]*)\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)*)\)|(\*\*|__)(?=\S)(.+?)(?<=\S)\5|(?<![\w*_])([*_])(?=\S)([^*_\n]+?)(?<=\S)\7(?![\w*_])|(https?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]*_])/gs;

  function element(name, ...children) {
    const made = document.createElement(name);
    made.append(...children);
    return made;
  }

  function link(address, children) {
    let url;
    try {
      url = new URL(address);
    } catch {
      return element("span", ...children);
    }
    if (!["http:", "https:"].includes(url.protocol)) return element("span", ...children);
    const made = element("a", ...children);
    made.href = url.href;
    made.rel = "noopener noreferrer nofollow";
    made.title = url.host; // the words of a link may promise another place
    return made;
  }

  function inline(text) {
    const nodes = [];
    let end = 0;
    for (const match of text.matchAll(INLINE)) {
      const [whole, , code, label, target, , bold, , italic, address] = match;
      if (match.index > end) nodes.push(text.slice(end, match.index));
      if (code !== undefined) nodes.push(element("code", code.replace(/^ (.+) $/, "$1")));
      else if (target !== undefined) nodes.push(link(target, inline(label || target)));
      else if (bold !== undefined) nodes.push(element("strong", ...inline(bold)));
      else if (italic !== undefined) nodes.push(element("em", ...inline(italic)));
      else nodes.push(link(address, [address]));
      end = match.index + whole.length;
    }
    if (end < text.length) nodes.push(text.slice(end));
    return nodes;
  }

  // Cut the text into blocks: [kind, lines, detail]. An open fence runs to the end, so that a
  // block that is still being written already looks like what it will be.
  function blocks(text) {
    const found = [];
    const lines = text.split("\n");
    for (let at = 0; at < lines.length; at++) {
      const line = lines[at];
      const fence = FENCE.exec(line);
      const take = (kind, belongs, detail) => {
        const taken = [line];
        while (at + 1 < lines.length && belongs(lines[at + 1])) taken.push(lines[++at]);
        found.push([kind, taken, detail]);
      };
      if (fence) {
        const taken = [];
        while (at + 1 < lines.length && !lines[at + 1].trim().startsWith(fence[1])) taken.push(lines[++at]);
        at++;
        found.push(["code", taken, fence[2]]);
      } else if (!line.trim()) continue;
      else if (HEADING.test(line)) found.push(["heading", [line]]);
      else if (RULE.test(line)) found.push(["rule", [line]]);
      else if (QUOTE.test(line)) take("quote", (next) => QUOTE.test(next));
      else if (ITEM.test(line)) take("list", (next) => ITEM.test(next) || /^ {2,}\S/.test(next));
      else if (ROW.test(line) && DASHES.test(lines[at + 1] ?? "")) take("table", (next) => ROW.test(next));
      else take("paragraph", (next) => next.trim() && ![FENCE, HEADING, RULE, QUOTE, ITEM].some((mark) => mark.test(next)));
    }
    return found;
  }

  function list(lines) {
    const items = [];
    const outer = ITEM.exec(lines[0]);
    for (const line of lines) {
      const item = ITEM.exec(line);
      if (item && item[1].length < outer[1].length + 2) items.push([item[3]]);
      else items.at(-1).push(line);
    }
    const ordered = /\d/.test(outer[2]);
    const made = element(ordered ? "ol" : "ul");
    if (ordered) made.start = parseInt(outer[2], 10);
    for (const [first, ...rest] of items) {
      const nested = rest.findIndex((line) => ITEM.test(line));
      const words = nested < 0 ? rest : rest.slice(0, nested);
      const item = element("li", ...inline([first, ...words.map((line) => line.trim())].join("\n")));
      if (nested >= 0) item.append(list(rest.slice(nested)));
      made.append(item);
    }
    return made;
  }

  function table(lines) {
    const cells = (line) => ROW.exec(line)[1].split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
    const row = (line, name) => element("tr", ...cells(line).map((cell) => element(name, ...inline(cell))));
    const made = element("table", element("thead", row(lines[0], "th")));
    made.append(element("tbody", ...lines.slice(2).map((line) => row(line, "td"))));
    made.className = "table";
    const box = element("div", made);
    box.className = "table-scroll";
    box.tabIndex = 0;
    return box;
  }

  function code(lines) {
    const pre = element("pre", element("code", lines.join("\n")));
    pre.tabIndex = 0;
    const box = element("div", pre);
    box.className = "code";
    const button = element("button", "Copy");
    button.type = "button";
    button.className = "button button-quiet button-small";
    button.setAttribute("data-copy-code", "");
    box.append(button);
    return box;
  }

  const DEEPEST_QUOTE = 5;

  function quote(lines, depth) {
    const inner = lines.map((line) => QUOTE.exec(line)[1]).join("\n");
    if (depth >= DEEPEST_QUOTE) return element("p", ...inline(inner));
    return element("blockquote", ...blocks(inner).map((block) => draw(block, depth + 1)));
  }

  function draw([kind, lines], depth = 0) {
    switch (kind) {
      case "code": return code(lines);
      case "rule": return element("hr");
      case "list": return list(lines);
      case "table": return table(lines);
      case "quote": return quote(lines, depth);
      case "heading": {
        const [, marks, words] = HEADING.exec(lines[0]);
        // The page has h1 and h2; an answer begins below them.
        return element(`h${Math.min(marks.length + 2, 5)}`, ...inline(words));
      }
      default: return element("p", ...inline(lines.join("\n")));
    }
  }

  // Show `text` in `target`. What did not change since the last call stays as it is: text that
  // someone has selected above the growing end keeps its selection.
  function show(target, text) {
    const before = target.markdownBlocks ?? [];
    const now = blocks(text).map((block) => ({ block, key: JSON.stringify(block) }));
    let same = 0;
    while (same < now.length && before[same]?.key === now[same].key && before[same].node.parentNode === target) same++;
    if (!before.length) target.replaceChildren();
    for (const old of before.slice(same)) old.node.remove();
    for (let at = same; at < now.length; at++) target.append((now[at].node = draw(now[at].block)));
    for (let at = 0; at < same; at++) now[at].node = before[at].node;
    target.markdownBlocks = now;
  }

  return { show };
})();
