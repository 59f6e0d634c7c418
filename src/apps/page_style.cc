// How the page looks. Colours of text have a contrast of at least 4.5 to 1 on their grounds, those
// of drawings at least 3 to 1.
#include "apps/page.h"

namespace lockstep::apps {

// NOLINTNEXTLINE(readability-function-size): one text
const char* page_style() {
  return R"css(
:root{color-scheme:light dark;--ground:#f4f6f9;--card:#fff;--ink:#1a202c;--soft:#4f5869;
--rule:#d5dae2;--blue:#2b6cb0;--teal:#0f766e;--amber:#a84b08;--grey:#66707f;--red:#b42318;
--violet:#6d3fc0;--good:#18693a;--goodbg:#e3f4e9;--bad:#a11b12;--badbg:#fdeceb;--code:#eceff4}
@media (prefers-color-scheme:dark){:root{--ground:#10141b;--card:#181e28;--ink:#e7ebf2;
--soft:#aab4c3;--rule:#343d4b;--blue:#6ea9ea;--teal:#45c4b6;--amber:#f0a04b;--grey:#98a3b3;
--red:#f8837a;--violet:#b9a0ff;--good:#7ddba0;--goodbg:#153524;--bad:#ff9d94;--badbg:#431b1a;
--code:#232b38}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:1160px;margin:0 auto;padding:20px}
section,header{background:var(--card);border:1px solid var(--rule);border-radius:10px;
padding:20px;margin:0 0 16px}
h1{font-size:28px;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:20px;margin:0 0 4px}
h3{font-size:16px;margin:20px 0 4px}
p{margin:4px 0 10px;max-width:75ch}
.soft,figcaption,footer{color:var(--soft)}
footer{font-size:14px;padding:0 4px 20px}
code{font:14px/1.5 ui-monospace,"DejaVu Sans Mono",monospace;background:var(--code);
padding:1px 5px;border-radius:4px;overflow-wrap:anywhere}
.tag{display:inline-block;border-radius:999px;padding:2px 12px;font-weight:600;font-size:15px;
background:var(--goodbg);color:var(--good)}
.tag.bad{background:var(--badbg);color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:10px;
margin:16px 0;padding:0}
.tiles div{border:1px solid var(--rule);border-radius:8px;padding:10px 12px}
.tiles dt{color:var(--soft);font-size:14px}
.tiles dd{margin:0;font-size:18px;font-weight:600;line-height:1.3;overflow-wrap:anywhere}
.tiles dd span{font-size:14px}
.tiles dd small{display:block;font-size:13px;font-weight:400;color:var(--soft)}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px;margin:0}
dl.facts dt{color:var(--soft)}
dl.facts dd{margin:0;min-width:0}
figure{margin:10px 0}
svg{display:block;max-width:100%;height:auto;font:13px system-ui,"Segoe UI","DejaVu Sans",sans-serif}
.narrow{display:none}
details{margin-top:8px}
summary{cursor:pointer;color:var(--blue);font-weight:600}
table{border-collapse:collapse;width:100%;margin:8px 0;font-size:15px}
caption{text-align:left;color:var(--soft);padding:4px 0;font-size:14px}
th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid var(--rule);
vertical-align:top;font-weight:400;overflow-wrap:break-word}
.w{overflow-wrap:anywhere}
thead th{color:var(--soft);font-size:14px;overflow-wrap:normal}
.n{text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:normal}
tr.sum th,tr.sum td{font-weight:700;border-top:2px solid var(--ink)}
tr.kept th,tr.kept td{font-weight:700;background:var(--goodbg);color:var(--good)}
tr.off{color:var(--soft)}
text{fill:var(--ink)}
text.s{fill:var(--soft)}
text.b{font-weight:700}
text.end{text-anchor:end}
text.mid{text-anchor:middle}
text.bad{fill:var(--bad)}
text.good{fill:var(--good)}
.grid{stroke:var(--rule);stroke-width:1}
.axis{stroke:var(--soft);stroke-width:1}
.lost-line{stroke:var(--red);stroke-width:2}
.loss{fill:none;stroke:var(--blue);stroke-width:2.5;stroke-linejoin:round}
.old{fill:none;stroke:var(--grey);stroke-width:1.5;stroke-dasharray:4 3}
.dot{fill:var(--blue)}
.olddot{fill:var(--card);stroke:var(--grey);stroke-width:1.5}
.band{fill:var(--amber);opacity:.12}
.bandline{stroke:var(--amber);stroke-width:3}
.computed{fill:var(--blue)}
.audited{fill:url(#p-audited)}
.again{fill:url(#p-again)}
.voided{fill:url(#p-voided)}
.lost{fill:url(#p-lost);stroke:var(--red);stroke-width:1}
.running{fill:none;stroke:var(--blue);stroke-width:1}
.unended{fill:none;stroke:var(--grey);stroke-width:1;stroke-dasharray:3 3}
.check{fill:url(#p-check)}
.f-blue{fill:var(--blue)}.f-teal{fill:var(--teal)}.f-amber{fill:var(--amber)}
.f-green{fill:var(--good)}
.f-grey{fill:var(--grey)}.f-red{fill:var(--red)}.f-violet{fill:var(--violet)}
.f-card{fill:var(--card)}.f-rule{fill:var(--rule)}
.flow{opacity:.38}
.mark{fill:var(--red)}
.markgood{fill:var(--good)}
.ask{stroke:var(--violet);stroke-width:2}
.reply{stroke:var(--blue);stroke-width:2}
.life{stroke:var(--grey);stroke-width:1;stroke-dasharray:3 4}
.verdict{fill:var(--badbg);stroke:var(--bad)}
.verdict.ok{fill:var(--goodbg);stroke:var(--good)}
@media (max-width:720px){
main{padding:8px}
section,header{padding:14px;border-radius:8px}
h1{font-size:23px}
.wide{display:none}.narrow{display:block}
.tiles{grid-template-columns:1fr 1fr}
.tiles dd{font-size:16px}
dl.facts{display:block}
dl.facts dd{margin:0 0 8px}
table.long,.long tbody,.long tr,.long td,.long tbody th,.long caption{display:block;width:100%}
.long thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table{font-size:14px}
th,td{padding:5px 8px 5px 0}
.long tr{border-bottom:1px solid var(--rule);padding:6px 0}
.long tbody th{font-weight:600}
.long th,.long td,.long td.n,.long th.n{border:0;padding:1px 0;text-align:left}
.long td:empty{display:none}
.long td::before{content:attr(data-h) ": ";color:var(--soft)}
}
@media print{body{background:#fff}section,header{break-inside:avoid}}
)css";
}

const char* page_patterns() {
  return R"svg(<svg xmlns="http://www.w3.org/2000/svg" width="0" height="0" aria-hidden="true"
style="position:absolute"><defs>
<pattern id="p-audited" width="6" height="6" patternUnits="userSpaceOnUse">
<rect width="6" height="6" class="f-teal"/><circle cx="3" cy="3" r="1.4" class="f-card"/></pattern>
<pattern id="p-again" width="6" height="6" patternUnits="userSpaceOnUse">
<rect width="6" height="6" class="f-amber"/><rect y="2" width="6" height="1.6" class="f-card"/>
</pattern>
<pattern id="p-voided" width="6" height="6" patternUnits="userSpaceOnUse"
patternTransform="rotate(45)"><rect width="6" height="6" class="f-card"/>
<rect width="3" height="6" class="f-grey"/></pattern>
<pattern id="p-lost" width="7" height="7" patternUnits="userSpaceOnUse">
<rect width="7" height="7" class="f-card"/>
<path d="M0 0L7 7M7 0L0 7" style="stroke:var(--red);stroke-width:1.2"/></pattern>
<pattern id="p-check" width="5" height="5" patternUnits="userSpaceOnUse">
<rect width="5" height="5" class="f-violet"/><rect width="1.4" height="5" class="f-card"/></pattern>
</defs></svg>
)svg";
}

}  // namespace lockstep::apps
