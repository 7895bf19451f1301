"""How the page looks: light, dark and printed, from a telephone's width up. Series have the same colours everywhere.

The eight colours differ in lightness too, and each has at least 3 : 1 against its background; lines also differ in
their dashes, and values have letters, so that nothing is told by colour alone.
"""

CSS = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1e21; --soft: #585d66; --line: #dcdfe4; --tint: #f4f5f7;
  --link: #0b57b0; --s0: #0067a5; --s1: #c04a00; --s2: #007d5c; --s3: #9c4a86; --s4: #8a6200; --s5: #5f6670;
  --s6: #5a41b8; --s7: #b01547; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #15171a; --ink: #e8eaed; --soft: #a9afb9; --line: #3a3f47; --tint: #1f2226; --link: #8fbfff;
    --s0: #5cb3f0; --s1: #ff9a5a; --s2: #45d6ab; --s3: #ea9fd1; --s4: #eec44f; --s5: #b9bfc9; --s6: #b7a3ff;
    --s7: #ff8ba4; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header, main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1.5rem 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: .5rem; border-top: 1px solid var(--line); }
p, li { max-width: 70ch; overflow-wrap: anywhere; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -100rem; padding: .5rem 1rem; background: var(--paper); }
.skip:focus { left: .5rem; top: .5rem; }
nav ol { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: 0; padding: 0; list-style: none; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
td { overflow-wrap: anywhere; }
.numbers td, .numbers thead th + th { text-align: right; white-space: nowrap; padding: .25rem .4rem .25rem .75rem; }
tbody th[scope=rowgroup] { padding-top: 1rem; font-weight: 400; color: var(--soft); }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 25rem), 1fr)); gap: 1.5rem 2rem; }
.figures > .wide { grid-column: 1 / -1; }
figure { margin: 0; min-width: 0; max-width: 44rem; break-inside: avoid; }
figure.wide { max-width: none; }
figcaption { margin-bottom: .4rem; }
figcaption b { display: block; }
.chart { display: block; width: 100%; height: auto; }
.key { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .3rem 0 0; padding: 0; list-style: none;
  font-size: .9rem; }
.swatch { width: 26px; height: 10px; margin-right: .4rem; vertical-align: middle; }
.source, .soft { color: var(--soft); font-size: .85rem; margin: .3rem 0 0; }
code { font: .92em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
.map { display: block; width: 100%; max-width: 34rem; height: auto; border: 1px solid var(--line); }
.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(4.2rem, 1fr)); gap: .6rem .5rem; margin: 0;
  padding: 0; list-style: none; }
.strip + .strip { border-top: 1px solid var(--line); margin-top: .6rem; padding-top: .6rem; }
.strip li { font-size: .75rem; line-height: 1.25; hyphens: auto; break-inside: avoid; }
.strip.pairs { grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); }
.strip .first { padding-right: .5rem; border-right: 2px solid var(--line); }
.picture { display: block; width: 4rem; height: 4rem; background: var(--tint); }
.map use, .picture use { image-rendering: pixelated; }
.store { position: absolute; width: 0; height: 0; }
.confusion td, .confusion thead th { text-align: center; padding: .2rem .35rem; }
.confusion thead th { vertical-align: bottom; }
.confusion thead th span { writing-mode: vertical-rl; transform: rotate(180deg); }
.confusion td { background: color-mix(in srgb, var(--s0) calc(var(--share) * 1%), transparent); min-width: 2.4em; }
.confusion td.right { outline: 1px solid var(--ink); outline-offset: -2px; }
footer { color: var(--soft); font-size: .85rem; margin: 3rem auto 2rem; }
@media print {
  body { font-size: 10.5pt; }
  nav, .skip { display: none; }
  .scroll { overflow: visible; }
  h2 { break-after: avoid; }
  table { font-size: 8.5pt; }
  tr { break-inside: avoid; }
  thead { break-after: avoid; }
  .figures { grid-template-columns: 1fr 1fr; }
  .strip { grid-template-columns: repeat(auto-fill, minmax(2.7rem, 1fr)); }
  .picture { width: 2.6rem; height: 2.6rem; }
  .strip li { font-size: 7pt; }
  .confusion td { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
