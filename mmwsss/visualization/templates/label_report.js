const byId = (id) => document.getElementById(id);
const cards = [...document.querySelectorAll('.card')].map((node) => ({
  node,
  id: node.dataset.id,
  classes: new Set(node.dataset.classes.trim().split(' ')),
  ranks: JSON.parse(node.dataset.ranks),
}));
const compareIds = (a, b) => a.id.localeCompare(b.id, 'en', {numeric: true});

function update() {
  const reason = byId('reason').value;
  const chosen = byId('class').value;
  const text = byId('search').value.trim().toLowerCase();
  const order = byId('order').value;
  const shown = cards.filter((card) =>
    (reason === '' || reason in card.ranks) &&
    (chosen === '' || card.classes.has(chosen)) &&
    card.id.toLowerCase().includes(text));
  const rank = (card) => reason === '' ? Math.min(...Object.values(card.ranks)) : card.ranks[reason];
  shown.sort((a, b) => (order === 'id' ? 0 : rank(a) - rank(b)) || compareIds(a, b));
  if (order === 'reverse') shown.reverse();
  cards.forEach((card) => { card.node.hidden = true; });
  for (const card of shown) {
    card.node.hidden = false;
    byId('cards').append(card.node);
    card.node.querySelectorAll('[data-keys]').forEach((line) =>
      line.classList.toggle('current', line.dataset.keys.split(' ').includes(reason)));
  }
  byId('explained').textContent = reason === '' ? '' : reasons[reason];
  byId('count').textContent = `${shown.length} ${shown.length === 1 ? 'image' : 'images'}`;
  byId('ids').value = shown.map((card) => card.id).join('\n');
  byId('none').hidden = shown.length > 0;
  byId('copy').textContent = 'Copy these ids';
}

['reason', 'class', 'order'].forEach((id) => byId(id).addEventListener('change', update));
byId('search').addEventListener('input', update);
byId('controls').addEventListener('submit', (event) => event.preventDefault());

document.querySelectorAll('.show').forEach((button) => button.addEventListener('click', () => {
  byId('reason').value = button.dataset.reason;
  update();
  byId('images').scrollIntoView();
  byId('reason').focus({preventScroll: true});
}));

byId('copy').addEventListener('click', async () => {
  const area = byId('ids');
  try {
    await navigator.clipboard.writeText(area.value);
  } catch { // a page that was opened as a file may not, in some browsers
    area.closest('details').open = true;
    area.select();
    document.execCommand('copy');
  }
  byId('copy').textContent = 'Copied';
});

document.querySelectorAll('.sort').forEach((button) => button.addEventListener('click', () => {
  const heading = button.closest('th');
  const body = button.closest('table').tBodies[0];
  const first = heading.cellIndex === 0;
  const up = heading.ariaSort === 'descending' || (first && heading.ariaSort !== 'ascending');
  button.closest('tr').querySelectorAll('th').forEach((other) => other.removeAttribute('aria-sort'));
  heading.ariaSort = up ? 'ascending' : 'descending';
  const value = (row) => row.cells[heading.cellIndex].dataset.value;
  const compare = (a, b) => {
    const [one, other] = [value(a), value(b)];
    if (first) return one.localeCompare(other, 'en', {numeric: true});
    return Number(one) - Number(other);
  };
  const known = [...body.rows].filter((row) => value(row) !== '');
  const unknown = [...body.rows].filter((row) => value(row) === '');
  known.sort((a, b) => (up ? compare(a, b) : compare(b, a)));
  body.append(...known, ...unknown);
}));

const theme = byId('theme');
function useTheme(isDark) {
  document.documentElement.style.colorScheme = isDark ? 'dark' : 'light';
  theme.setAttribute('aria-pressed', String(isDark));
}
useTheme(matchMedia('(prefers-color-scheme: dark)').matches);
theme.addEventListener('click', () => useTheme(theme.getAttribute('aria-pressed') !== 'true'));
update();
