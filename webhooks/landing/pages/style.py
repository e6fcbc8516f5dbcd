"""The look of our pages: the colours of Azure DevOps, light and dark, from the width of a phone on."""

from typing import Final


STYLE: Final = """
:root { color-scheme: light dark; --page: #f3f2f1; --card: #fff; --text: #201f1e; --quiet: #5c5a58; --line: #d2d0ce;
  --field: #8a8886; --go: #0067b8; --go-over: #005293; --on-go: #fff; --good: #0b6a0b; --good-soft: #eff8ef;
  --warn: #8a5300; --warn-soft: #fff8e6; --bad: #a4262c; --bad-soft: #fdf3f4 }
@media (prefers-color-scheme: dark) { :root { --page: #161514; --card: #242322; --text: #f3f2f1; --quiet: #bebbb8;
  --line: #403e3c; --field: #8a8886; --go: #6cb8f6; --go-over: #9ad0fa; --on-go: #0b1a26; --good: #8fd68f;
  --good-soft: #172417; --warn: #f2c661; --warn-soft: #2a2314; --bad: #f5a3a8; --bad-soft: #2e191a } }
*, ::before { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--text);
  font: 1rem/1.5 "Segoe UI", system-ui, -apple-system, Roboto, "Helvetica Neue", Arial, sans-serif }
header, main { max-width: 42rem; margin: 0 auto; padding: 0 1.25rem }
header { padding-top: clamp(1rem, 5vh, 3.5rem) }
.product { display: flex; align-items: center; gap: .6rem; margin: 0 0 1rem; font-weight: 600 }
.mark { position: relative; width: 1.35rem; height: 1.35rem; border: .18rem solid var(--go); border-radius: 50% }
.mark::before { content: ""; position: absolute; left: 50%; top: 14%; width: 30%; height: 40%; margin-left: -.08rem;
  border: solid var(--go); border-width: 0 0 .16rem .16rem }
main { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: clamp(1.1rem, 4vw, 2rem);
  margin-bottom: 3rem; box-shadow: 0 .1rem .5rem rgb(0 0 0 / 6%) }
@media (max-width: 44.5rem) { main { margin-left: .75rem; margin-right: .75rem } }
h1 { font-size: 1.6rem; line-height: 1.25; font-weight: 600; margin: 0 0 .75rem }
h2 { font-size: 1.1rem; font-weight: 600; margin: 1.75rem 0 .5rem }
p, ul, dl { margin: 0 0 1rem }
ul { padding-left: 1.25rem }
li { margin-bottom: .35rem }
a { color: var(--go) }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; border-top: 1px solid var(--line) }
dt, dd { margin: 0; padding: .55rem 1.25rem .55rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere }
dt { color: var(--quiet) }
dd { padding-right: 0 }
@media (max-width: 30rem) { dl { display: block } dt { padding-bottom: 0; border: 0 } dd { padding-top: 0 } }
form { margin: 0 0 1rem }
label { display: block; font-weight: 600; margin: 1.1rem 0 .15rem }
.hint { color: var(--quiet); font-size: .9rem; margin: 0 0 .4rem }
input, select { width: 100%; max-width: 26rem; padding: .6rem .7rem; font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--field); border-radius: .3rem }
.tick { display: flex; gap: .6rem; align-items: baseline; margin: 1.1rem 0 .15rem }
.tick input { width: 1.1rem; height: 1.1rem; flex: none }
.tick label { margin: 0 }
[aria-invalid] { border-color: var(--bad); border-width: 2px }
.wrong { color: var(--bad); font-weight: 600; margin: .3rem 0 0 }
button, .button { display: inline-block; margin: 1.5rem 0 .25rem; padding: .65rem 1.4rem; font: inherit;
  font-weight: 600; color: var(--on-go); background: var(--go); border: 1px solid transparent; border-radius: .3rem;
  cursor: pointer; text-align: center; text-decoration: none }
button:hover, .button:hover { background: var(--go-over) }
button.quiet { margin: 0 0 1rem; padding: .3rem .8rem; font-size: .9rem; font-weight: 400; color: var(--text);
  background: none; border-color: var(--field) }
button.quiet:hover { background: var(--page) }
.buttons { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.5rem 0 .5rem }
.buttons button { margin: 0 }
.second { color: var(--go); background: none; border-color: var(--field) }
.second:hover { color: var(--on-go) }
:focus-visible { outline: 3px solid var(--go); outline-offset: 2px }
.note { border: 1px solid; border-left-width: .35rem; border-radius: .3rem; padding: .7rem 1rem; margin: 0 0 1.1rem }
.note > :last-child, .note p:last-child { margin-bottom: 0 }
.good { border-color: var(--good); background: var(--good-soft) }
.warn { border-color: var(--warn); background: var(--warn-soft) }
.bad { border-color: var(--bad); background: var(--bad-soft) }
.fine { color: var(--quiet); font-size: .9rem }
.fine:last-child { margin-bottom: 0 }
code { font-size: .9em; overflow-wrap: anywhere }
@media (forced-colors: active) { button, .button { border-color: currentcolor } }
"""
