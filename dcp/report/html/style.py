"""How the page looks: light, dark and printed, from a telephone's width up. Series have the same colours everywhere.

The first eight colours differ in lightness too, and each has at least 3 : 1 against its background; lines also differ
in their dashes, and values have letters, so that nothing is told by colour alone.
"""

from dcp.report.charts.colours import DARK, LIGHT, TONE, TONE_DARK, variables

CSS = f"""
:root {{ color-scheme: light dark; --paper: #fff; --ink: #1c1e21; --soft: #585d66; --line: #dcdfe4; --tint: #f4f5f7;
  --link: #0b57b0; --shade: rgb(0 0 0 / .28); {variables(LIGHT, TONE)} }}
@media screen and (prefers-color-scheme: dark) {{
  :root {{ --paper: #15171a; --ink: #e8eaed; --soft: #a9afb9; --line: #3a3f47; --tint: #1f2226; --link: #8fbfff;
    --shade: rgb(255 255 255 / .3); {variables(DARK, TONE_DARK)} }} }}"""
CSS += """
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header, main, footer { max-width: 90rem; margin: 0 auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1.5rem 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: .5rem; border-top: 1px solid var(--line); }
p, li { max-width: 70ch; overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
.lead { font-size: 1.2rem; line-height: 1.4; max-width: 62rem; margin: .5rem 0 1.2rem; }
.lead strong { display: block; font-weight: 600; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem 3rem;
  margin-bottom: 1.2rem; }
.beside h2 { margin-top: 0; padding-top: 0; border: 0; }
.beside ul, section > ul { padding-left: 1.2rem; margin: .3rem 0; }
main > details { border-top: 1px solid var(--line); }
main > details:first-of-type { margin-top: 2.5rem; }
main > details[open] { padding-bottom: 1.5rem; }
.sections { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 34rem), 1fr)); gap: 0 3rem; }
.sections > div { min-width: 0; }
.sections > div:has(> .figures > figure + figure) { grid-column: 1 / -1; }
.sections figure:only-child { max-width: 36rem; }
.sections h3:first-child, .sections h2 { margin-top: .6rem; }
.sections h2 { border: 0; }
summary { cursor: pointer; }
main > details > summary { padding: .7rem 0; }
summary h2 { display: inline; font-size: 1.1rem; margin: 0 .6rem 0 .2rem; padding: 0; border: 0; }
summary span { color: var(--soft); }
figure summary { color: var(--link); font-size: .9rem; padding: .5rem 0; }
/* a shadow at each side that has more to show: the first two layers move with the table and cover it at its ends */
.scroll { overflow-x: auto; scrollbar-width: thin; background:
  linear-gradient(90deg, var(--paper) 40%, transparent) left / 3rem 100%,
  linear-gradient(270deg, var(--paper) 40%, transparent) right / 3rem 100%,
  linear-gradient(90deg, var(--shade), transparent) left / 1rem 100%,
  linear-gradient(270deg, var(--shade), transparent) right / 1rem 100%;
  background-repeat: no-repeat; background-attachment: local, local, scroll, scroll; }
table { border-collapse: collapse; min-width: min(100%, 48rem); font-size: .875rem;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
td { overflow-wrap: anywhere; }
.scroll tbody th[scope=row] { position: sticky; left: 0; background: var(--paper); overflow-wrap: break-word;
  max-width: 40vw; }
.numbers td, .numbers thead th:not(:first-child) { text-align: right; white-space: nowrap;
  padding: .25rem .3rem .25rem .6rem; }
tbody th[scope=rowgroup] { padding-top: 1rem; font-weight: 400; color: var(--soft); }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 23rem), 1fr)); gap: 1.5rem 2rem; }
.figures > .wide { grid-column: 1 / -1; }
figure { margin: 0; min-width: 0; max-width: 44rem; break-inside: avoid; }
figure.wide { max-width: none; }
figcaption { margin-bottom: .4rem; }
figcaption b { display: block; overflow-wrap: anywhere; }
.chart { display: block; width: 100%; height: auto; }
.key { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .3rem 0 0; padding: 0; list-style: none;
  font-size: .9rem; }
.swatch { width: 26px; height: 10px; margin-right: .4rem; vertical-align: middle; }
.source, .soft { color: var(--soft); font-size: .85rem; margin: .3rem 0 0; }
code { font: .92em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
.map { display: block; width: 100%; max-width: 34rem; height: auto; border: 1px solid var(--line); }
.strip { display: grid; grid-template-columns: repeat(var(--across), minmax(0, 5rem)); gap: .6rem .4rem; margin: 0;
  padding: 0; list-style: none; }
.strip + .strip { border-top: 1px solid var(--line); margin-top: .6rem; padding-top: .6rem; }
.strip li { font-size: .7rem; line-height: 1.2; hyphens: auto; break-inside: avoid; }
.strip.pairs { grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); }
.strip .picture { margin-bottom: .2rem; }
.strip .first .picture { outline: 2px solid var(--ink); outline-offset: 1px; }
.picture { display: block; width: 100%; max-width: 4rem; height: auto; aspect-ratio: 1; background: var(--tint); }
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
  .scroll { overflow: visible; background: none; }
  main > details::details-content { content-visibility: visible; display: block; }  /* what is folded is printed too */
  summary { list-style: none; }
  h2 { break-after: avoid; }
  table { font-size: 8.5pt; min-width: 0; }
  .numbers td, .numbers thead th:not(:first-child) { white-space: normal; }  /* paper does not scroll */
  .scroll tbody th[scope=row] { max-width: 11rem; }
  tr { break-inside: avoid; }
  thead { break-after: avoid; }
  .figures { grid-template-columns: 1fr 1fr; }
  figure summary { display: none; }
  .sections { display: block; }
  .strip li { font-size: 7pt; }
  .confusion td { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
