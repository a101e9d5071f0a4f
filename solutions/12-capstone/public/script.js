// The page's side of the API: list, add, delete.
const form = document.querySelector('form');
const list = document.querySelector('ul');
const status = document.querySelector('[role=status]');

async function call(path, options) {
  const response = await fetch(path, options);
  if (response.ok) return response.status === 204 ? null : response.json();
  const { error } = await response.json();
  throw new Error(error);
}

function item(user) {
  const li = document.createElement('li');
  const text = document.createElement('span');
  // textContent, not innerHTML: a name is text, whatever it holds.
  text.textContent = `${user.name} <${user.email}>`;
  const button = document.createElement('button');
  button.textContent = 'Delete';
  button.setAttribute('aria-label', `Delete ${user.name}`);
  button.addEventListener('click', () => act(() => call(`/users/${user.id}`, { method: 'DELETE' })));
  li.append(text, button);
  return li;
}

async function show() {
  const users = await call('/users');
  list.replaceChildren(...users.map(item));
}

/** Does something, shows the list anew, and says what went wrong if anything did. */
async function act(action) {
  try {
    await action();
    status.textContent = '';
    await show();
  } catch (error) {
    status.textContent = error.message;
  }
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  act(async () => {
    await call('/users', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
    form.reset();
  });
});

act(() => {});
