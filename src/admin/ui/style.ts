/** The style sheet of the status page: no font, picture or colour from elsewhere; as dark or light as the reader's system. */
export const style = `:root{color-scheme:light dark;--back:#fff;--card:#f6f7f9;--line:#c9ced6;--text:#1b1f24;--dim:#525a66;
--link:#0b57b0;--good:#136b2c;--warn:#8a4b00;--bad:#b3141d;--mark:#e7eefb;--new:#dff3e4;--gone:#fde4e4}
@media (prefers-color-scheme:dark){:root{--back:#14171b;--card:#1d2127;--line:#444c57;--text:#e8eaed;--dim:#a9b1bc;
--link:#8ab8ff;--good:#6fd08c;--warn:#f2b25c;--bad:#ff8f8f;--mark:#22304a;--new:#143821;--gone:#4a1f22}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}
a{color:var(--link)}
a:focus-visible,button:focus-visible,input:focus-visible,select:focus-visible,[tabindex]:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:.5rem;background:var(--back);padding:.5rem;z-index:1}
header,main,footer{max-width:76rem;margin:0 auto;padding:.75rem 1rem}
header{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;align-items:center;border-bottom:1px solid var(--line)}
header strong{font-size:1.15rem}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;margin:0;padding:0}
nav [aria-current]{font-weight:600;text-decoration:none;color:var(--text)}
form{display:flex;gap:.4rem;flex-wrap:wrap;align-items:center;margin:0}
input,button,select{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:.3rem;padding:.25rem .6rem}
button{cursor:pointer}
header form{margin-left:auto}
h1{font-size:1.5rem;margin:.5rem 0}
h2{font-size:1.15rem;margin:1.75rem 0 .5rem}
h3{font-size:1rem;margin:0}
.flow{display:grid;grid-template-columns:1fr auto 1fr auto 1fr;gap:.75rem;align-items:center}
.flow>div>h3{margin-bottom:.5rem}
.arrow{font-size:1.75rem;color:var(--dim);text-align:center}
.cards{display:grid;gap:.5rem;list-style:none;margin:0;padding:0}
.card{background:var(--card);border:1px solid var(--line);border-left-width:.35rem;border-radius:.3rem;padding:.5rem .75rem;overflow-wrap:anywhere}
.card p{margin:0;color:var(--dim)}
.good{border-left-color:var(--good)}.warn{border-left-color:var(--warn)}.bad{border-left-color:var(--bad)}
.state{font-weight:600}.state.good{color:var(--good)}.state.warn{color:var(--warn)}.state.bad{color:var(--bad)}
.verdict{font-size:1.1rem;font-weight:600}
.findings{padding-left:1.25rem}.findings li{margin:.25rem 0;overflow-wrap:anywhere}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.3rem}
table{border-collapse:collapse;width:100%}
caption{text-align:left;padding:.4rem .75rem;color:var(--dim)}caption span{position:sticky;left:.75rem}
th,td{text-align:left;padding:.35rem .75rem;border-top:1px solid var(--line);vertical-align:top}
thead th{border-top:0;background:var(--card);white-space:nowrap}
time{display:inline-block}td time{white-space:nowrap}td button{white-space:nowrap}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.key,th.key{overflow-wrap:break-word}tbody th.key{min-width:11rem}.wide{display:inline-block;min-width:13rem}
tr.next>*{background:var(--mark)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.5rem;margin:.5rem 0}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--line);border-radius:.3rem;padding:.75rem;overflow:auto;max-height:40rem}
.filter{margin:1rem 0;gap:.4rem .75rem}.field{display:flex;gap:.4rem;align-items:center;max-width:100%}.field>:last-child{min-width:0;max-width:16rem}
.long{display:inline-block;min-width:18rem}
.diff{white-space:pre}.diff ins,.diff del{display:block;text-decoration:none;margin:0 -.75rem;padding:0 .75rem}
.diff ins{background:var(--new)}.diff del{background:var(--gone)}.diff .place{color:var(--dim)}
.aside{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);user-select:none}
footer{color:var(--dim);border-top:1px solid var(--line);margin-top:2rem}#live:not(:empty)::before{content:'· '}
@media (max-width:48rem){.flow{grid-template-columns:1fr}.arrow{transform:rotate(90deg)}dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}header form{margin-left:0}.long{min-width:26rem}}
`;
