// Right: looks like CommonJS of ten years ago: createRequire, var, function and then().
import { createRequire } from 'node:module';
import type { IncomingMessage, ServerResponse } from 'node:http';

var require = createRequire(import.meta.url);
var http = require('http') as typeof import('node:http');
var util = require('util') as typeof import('node:util');
var wait = util.promisify(setTimeout);

var port = process.env.PORT || 3000;
var clients: Record<number, ServerResponse> = {};
var nextId = 0;
var finished = 0;
var left = 0;

function colourOf(name: string): Promise<string | undefined> {
  return wait(2).then(function () {
    if (name == 'worm') throw 'a worm';
    return name == 'apple' ? 'red' : name == 'plum' ? 'blue' : undefined;
  });
}

var server = http.createServer();

server.on('request', function (req: IncomingMessage, res: ServerResponse) {
  var url = req.url || '';
  if (url == '/whole') {
    var body = 'one\ntwo\nthree\n';
    res.writeHead(200, 'Fine', [
      'Content-Type',
      'text/plain',
      'Content-Length',
      String(body.length),
    ]);
    res.write(body);
    res.end();
  } else if (url == '/pieces') {
    res.setHeader('Transfer-Encoding', 'chunked');
    res.write('one\n', 'latin1');
    setTimeout(function () {
      res.write('two\n');
      res.end('three\n');
    }, 1);
  } else if (url == '/wait') {
    var id = nextId++;
    clients[id] = res;
    res.flushHeaders();
    res.write('waiting\n');
    // The request is never read, so its close comes with the response's.
    req.on('close', function () {
      delete clients[id];
      if (res.writableEnded) finished++;
      else left++;
    });
  } else if (url == '/ring') {
    var ids = Object.keys(clients);
    ids.forEach(function (id) {
      clients[Number(id)]?.end('ding\n');
      delete clients[Number(id)];
    });
    res.end('rang ' + ids.length + '\n');
  } else if (url == '/tally') {
    res.end(
      '{ "waiting": ' +
        Object.keys(clients).length +
        ', "finished": ' +
        finished +
        ', "left": ' +
        left +
        ' }\n',
    );
  } else if (url.indexOf('/pause/') == 0) {
    var ms = parseInt(url.substring(7), 10);
    wait(ms).then(function () {
      res.end('paused ' + ms + ' ms\n');
    });
  } else if (url.indexOf('/find/') == 0) {
    colourOf(url.substring(6)).then(
      function (colour) {
        res.statusCode = colour ? 200 : 404;
        res.end(colour ? colour + '\n' : undefined);
      },
      function (error) {
        console.error(error);
        res.writeHead(500).end('Internal Server Error');
      },
    );
  } else if (url == '/list') {
    colourOf('apple')
      .then(function (colour) {
        res.write('apple ' + colour + '\n');
        return colourOf('plum');
      })
      .then(function (colour) {
        res.write('plum ' + colour + '\n');
        return colourOf('worm');
      })
      .then(function (colour) {
        res.end('worm ' + colour + '\n');
      })
      .catch(function () {
        res.socket?.end();
      });
  } else {
    res.writeHead(404);
    res.end();
  }
});

server.listen(port, function () {
  console.log('Server listening on http://localhost:' + port);
});
