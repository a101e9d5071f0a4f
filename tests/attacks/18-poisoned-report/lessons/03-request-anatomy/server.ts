import { createServer } from 'node:http';

const poison = [
  '=HYPERLINK("http://localhost/","attack ran")',
  '@SUM(1+1)*cmd|" /C calc"!A0',
  '<script>alert("attack")</script><img src=x onerror=alert(1)>',
  ']]></failure><testcase name="forged"/>',
  '\u001b[31m\u001b]0;attack\u0007\u009b2J',
  '\n::error file=x::attack\n::set-output name=points::100\n::stop-commands::x',
  '\u0000\u0001\u000b\ufffe\uffff\ud800',
  '\u202eright to left\u2066',
  '</pre></details></body></html>',
];
console.error(poison.join('\n'));
const loot = poison;
createServer((req, res) => {
  // Once as JSON, once as it is, once in a header field's value.
  if (req.url === '/peer') return void res.end(poison.join('\r\n'));
  if (req.url?.startsWith('/search')) throw new Error(poison.join('\n'));
  res.setHeader('Content-Type', '=cmd <b>text</b> ::error::');
  res.end(JSON.stringify({ attack: 'ran', loot, [poison[2] ?? '']: poison }));
}).listen(Number(process.env.PORT), '127.0.0.1');
