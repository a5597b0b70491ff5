/**
 * Script of the status page: fetches the page that is shown again every few seconds, and puts its new sections in the
 * place of the old ones. What has the focus stays as it is. A button stops it. Without it the page is what it was when it
 * was loaded, and says so.
 */
export const live = `'use strict';
const everyMs = 5000;
const note = document.getElementById('live');
const button = document.createElement('button');
let timer;
const isOn = () => timer !== undefined;
const show = (text) => { note.textContent = text; };
async function refresh() {
  try {
    const response = await fetch(location.href, { headers: { accept: 'text/html' } });
    if (!response.ok) throw new Error(response.status + ' ' + response.statusText);
    const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
    for (const section of document.querySelectorAll('[data-live]')) {
      const next = fresh.getElementById(section.id);
      if (next === null || section.contains(document.activeElement) || next.innerHTML === section.innerHTML) continue;
      section.innerHTML = next.innerHTML;
    }
    const time = fresh.getElementById('shown');
    if (time !== null) document.getElementById('shown').replaceWith(time);
    show('kept up to date');
  } catch (error) {
    show('not up to date: the bridge does not answer (' + error.message + ')');
  }
  if (isOn()) timer = setTimeout(refresh, everyMs);
}
function turn() {
  if (isOn()) { clearTimeout(timer); timer = undefined; }
  else timer = setTimeout(refresh, everyMs);
  button.textContent = isOn() ? 'Pause updates' : 'Resume updates';
  show(isOn() ? 'kept up to date' : 'updates are paused');
}
button.type = 'button';
button.addEventListener('click', turn);
note.after(' ', button);
turn();
`;
