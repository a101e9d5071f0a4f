// This file is finished. It is the page that your API lets in, or doesn't.

/** Asks the API at 127.0.0.1, which is another origin than the name that the page was loaded from. */
export const page = `<!doctype html>
<meta charset="utf-8">
<title>Who may read?</title>
<h1></h1>
<pre></pre>
<script type="module">
  const api = 'http://127.0.0.1:' + location.port;
  document.querySelector('h1').textContent = 'A page from ' + location.origin;

  const json = { 'Content-Type': 'application/json', Authorization: 'Bearer 42' };
  await ask('/public/count');
  await ask('/public/nope');
  await ask('/team/count');
  await ask('/team/count', { method: 'PUT', headers: json });
  await ask('/team/me', { credentials: 'include' });
  await ask('/account/me', { credentials: 'include' });
  document.querySelector('pre').append('That was all.');

  async function ask(path, options = {}) {
    let result;
    try {
      const response = await fetch(api + path, options);
      result = response.status + ' ' + (await response.text());
    } catch (error) {
      result = 'not for this page (see the console)';
    }
    const cookies = options.credentials ? ' with cookies' : '';
    document.querySelector('pre').append((options.method ?? 'GET') + ' ' + path + cookies + ': ' + result + '\\n');
  }
</script>
`;
