"""The page's style sheet: light and dark, screen and paper, nothing fetched."""

CSS = """
:root { color-scheme: light dark;
  --paper: #fcfcfa; --ink: #1d2327; --soft: #56616a; --line: #d8dcdf; --panel: #f2f4f3;
  --in: #1f6f8b; --out: #b4541a; --care: #5b3f8c; --care-soft: #efeaf7; --hit: #a4161a; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14181b; --ink: #e8ebec; --soft: #a3adb4; --line: #38424a; --panel: #1d2327;
  --in: #63b8d6; --out: #ec9a5f; --care: #c3aef0; --care-soft: #2a2338; --hit: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1020px; margin: 0 auto; padding: 28px 30px 60px; }
h1 { font-size: 1.65rem; line-height: 1.25; margin: 14px 0 6px; text-wrap: balance; }
h2 { font-size: 1.15rem; margin: 38px 0 10px; }
p { margin: 8px 0; max-width: 46rem; }
.simulated { margin: 0; font-size: .86rem; color: var(--soft); }
.chips { display: flex; flex-wrap: wrap; gap: 8px; margin: 14px 0 16px; padding: 0; list-style: none; }
.chips li { border: 1px solid var(--line); border-radius: 5px; padding: 3px 11px; font-size: .92rem; }
.chips b { font-weight: 650; }
.care { background: var(--care-soft); border-left: 5px solid var(--care); border-radius: 4px;
  padding: 12px 18px; margin: 18px 0; }
.care h2 { margin: 0 0 4px; color: var(--care); }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .9rem; margin-top: 6px;
  max-width: 46rem; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--ink); font-size: 14px; font-family: inherit; }
svg .name { font-weight: 600; } svg .small { font-size: 12.5px; fill: var(--soft); }
svg .strong { fill: var(--care); font-weight: 650; } svg .head { font-weight: 600; }
svg .node { fill: var(--panel); stroke: var(--line); } svg .node.in { stroke: var(--in); }
svg .node.out { stroke: var(--out); } svg .node.plain { stroke-dasharray: 4 3; }
svg .node.subject { stroke: var(--care); stroke-width: 2; fill: var(--care-soft); }
svg .band { fill: none; opacity: .42; } svg .band.in { stroke: var(--in); }
  svg .band.out { stroke: var(--out); }
svg .bar.in { fill: var(--in); } svg .bar.out { fill: var(--out); }
svg .axis { stroke: var(--soft); } svg .grid { stroke: var(--line); } svg .hit { fill: var(--hit); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; margin: 8px 0; }
th, td { text-align: left; vertical-align: top; padding: 6px 12px 6px 0;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--soft); }
td.n, th.n { text-align: right; padding-right: 20px;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.in td:first-child { box-shadow: inset 3px 0 var(--in); }
  tr.out td:first-child { box-shadow: inset 3px 0 var(--out); }
td:first-child, th:first-child { padding-left: 10px; }
.rule { border-top: 1px solid var(--line); padding: 12px 0 4px; }
.rule h3 { font-size: 1rem; margin: 0; } .rule p { font-size: .94rem; }
.id { color: var(--soft); font-size: .86rem; overflow-wrap: anywhere; }
.score { display: flex; height: 20px; border-radius: 4px; overflow: hidden; background: var(--panel);
  position: relative; }
.score i { display: block; background: var(--care); border-right: 2px solid var(--paper); }
.score .corroboration { background: var(--in); }
  .score .anomaly, .score .list_match { background: var(--out); }
.score b { position: absolute; left: 50%; top: 0; bottom: 0; border-left: 2px dashed var(--ink); }
footer { margin-top: 44px; border-top: 1px solid var(--line); padding-top: 12px; color: var(--soft);
  font-size: .86rem; }
@media (max-width: 720px) { main { padding: 18px 16px 40px; }
  .scroll svg { min-width: 760px; } }
@media print { :root { --paper: #fff; --ink: #000; --soft: #444; --line: #bbb; --panel: #fff; --in: #1f6f8b;
  --out: #b4541a; --care: #5b3f8c; --care-soft: #fff; --hit: #a4161a; }
  body { font-size: 11pt; } main { max-width: none; padding: 0; } h2 { break-after: avoid; }
  figure, .care, .rule, tr { break-inside: avoid; } svg, .score { print-color-adjust: exact; } }
"""
