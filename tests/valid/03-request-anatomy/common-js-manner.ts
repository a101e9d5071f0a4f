// Right: CommonJS in manner, an older style, with events for everything and setEncoding for the body.
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const http: typeof import('node:http') = require('http');
const { URL } = require('url') as typeof import('url');

var left = 0,
  halfSent = 0;
var server = http.createServer();

function json(res: import('http').ServerResponse, code: number, value: object) {
  var text = JSON.stringify(value);
  res.writeHead(code, {
    'content-type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    'X-Powered-By': 'patience',
  });
  res.write(text);
  return res.end();
}

function isAbsolute(target: string) {
  var lower = target.toLowerCase();
  return lower.indexOf('http://') === 0 || lower.indexOf('https://') === 0;
}

server.on('request', function (req, res) {
  res.on('close', function () {
    if (res.writableFinished) return;
    left = left + 1;
    if (req.complete === false) halfSent = halfSent + 1;
  });
});

server.on('request', function (req, res) {
  var target = String(req.url);
  var url;
  if (target.charAt(0) === '/') url = new URL('https://user:secret@localhost:1' + target);
  else if (isAbsolute(target)) {
    try {
      url = new URL(target);
    } catch (e) {
      url = null;
    }
  }
  if (!url) return json(res, 400, { error: 'no' });
  var query = url.searchParams;
  if (url.pathname === '/line') {
    return json(res, 200, {
      method: req.method,
      target: req.url,
      httpVersion: req.httpVersion,
      statusCode: req.statusCode,
    });
  }
  if (url.pathname === '/search') {
    var page = query.get('page');
    if (page === null) page = '1';
    if (!page.split('').every((c) => c >= '0' && c <= '9') || !(parseInt(page, 10) > 0))
      return json(res, 400, { error: 'page' });
    return json(res, 200, { q: query.get('q'), tags: query.getAll('tag'), page: +page });
  }
  if (url.pathname === '/headers') {
    var joined = req.headers['x-tag'];
    return json(res, 200, {
      type: req.headers['content-type'] === undefined ? null : req.headers['content-type'],
      cookie: req.headers['cookie'] === undefined ? null : req.headers['cookie'],
      tags:
        joined === undefined
          ? []
          : String(joined).split(',').map(Function.prototype.call, String.prototype.trim),
      names: req.rawHeaders.filter(function (_, i) {
        return !(i & 1);
      }),
    });
  }
  if (url.pathname === '/peer') {
    var address = String(req.socket.remoteAddress).replace(/^::ffff:/i, '');
    return json(res, 200, {
      address: address,
      port: req.socket.remotePort,
      encrypted: Boolean((req.socket as import('tls').TLSSocket).encrypted),
      loopback: address === '::1' || address.slice(0, 4) === '127.',
    });
  }
  if (url.pathname === '/body') {
    var before = req.complete;
    var text = '';
    req.setEncoding('utf8');
    req.on('data', function (piece) {
      text += piece;
    });
    req.on('error', function (error) {
      console.error('gone:', error.message);
    });
    req.on('end', function () {
      json(res, 200, {
        bytes: Buffer.byteLength(text),
        text: text,
        complete: { before: before, after: req.complete },
      });
    });
    return;
  }
  if (url.pathname === '/wait') {
    setTimeout(function () {
      json(res, 200, { waited: true });
    }, 5000).unref();
    return;
  }
  if (url.pathname === '/left') return json(res, 200, { left: left, halfSent: halfSent });
  json(res, 404, { error: 'Not found', path: url.pathname });
});

server.listen(process.env.PORT || 3000, function () {
  console.log('Server listening on http://localhost:' + (process.env.PORT || 3000));
});
